"""What is known of a reviewed order, payout or return: its trade and its movements as the remote door stores them."""

from dataclasses import dataclass

from ledger import holds
from ledger.holds import HoldState
from orders import trade_terms
from orders.models import Intent, Order, Payout, Return, Trade
from orders.sagas import venue_legs
from orders.sagas.venue_legs import EXECUTE
from wallets import remote_operations
from wallets.remote_operations import Standing


@dataclass(frozen=True, slots=True)
class Facts:
    """`debit`, `reverse`, `credit` and `execute` (of its trade, at an outside venue) are None when never written down."""

    order: Order
    trade: Trade
    debit: Standing | None
    reverse: Standing | None
    credit: Standing | None
    execute: Standing | None = None

    @property
    def debit_proven(self) -> bool:
        return self.debit is not None and self.debit.state == "confirmed"

    @property
    def debit_absent(self) -> bool:
        return self.debit is None or self.debit.state in ("absent", "rejected", "withdrawn", "prepared")

    @property
    def executed(self) -> bool:
        return self.execute is not None and self.execute.state == "confirmed"

    @property
    def surely_not_executed(self) -> bool:
        """Tell whether the trade's venue was never asked to execute it, refused, or surely does not know of it."""
        return self.execute is None or self.execute.state in ("absent", "rejected", "withdrawn", "prepared")

    @property
    def trade_open(self) -> bool:
        return bool(self.trade.state == Trade.State.RESERVED)

    @property
    def trade_settled(self) -> bool:
        return self.trade.state in (Trade.State.SETTLED, Trade.State.RETURNED)


@dataclass(frozen=True, slots=True)
class ReturnFacts:
    """`movement` is the giving back as the remote door stores it, None when it was never written down.

    `trade` is the trade that was taken back, None when a movement came late.
    """

    found: Return
    movement: Standing | None
    trade: Trade | None


@dataclass(frozen=True, slots=True)
class PayoutFacts:
    """`submission` is what the channel was asked, as the remote door stores it; None when it was never written down.

    `hold` is how the ledger says that its hold stands.
    """

    intent: Intent
    payout: Payout
    submission: Standing | None
    hold: HoldState | None


def facts_of(order: Order, trade: Trade, *, lock: bool = False) -> Facts:
    """Gather the facts; lock the operations (after order and trade) for who decides by them."""
    return Facts(
        order=order,
        trade=trade,
        debit=remote_operations.standing(owner=order.reference, leg="debit", lock=lock),
        reverse=remote_operations.standing(owner=order.reference, leg="reverse", lock=lock),
        credit=remote_operations.standing(owner=order.reference, leg="credit", lock=lock),
        execute=venue_legs.standing(trade, EXECUTE, lock=lock) if trade_terms.is_outside(trade) else None,
    )


def facts_of_payout(intent: Intent, payout: Payout, *, lock: bool = False) -> PayoutFacts:
    """Gather the facts of a payout; lock the submission (after intent and payout) for who decides by it."""
    submission = remote_operations.standing(owner=payout.reference, leg="submit", lock=lock)
    hold = holds.state_of(environment=payout.environment, key=payout.hold_key)
    return PayoutFacts(intent, payout, submission, hold)


def facts_of_return(found: Return, *, lock: bool = False) -> ReturnFacts:
    """Gather the facts of a return; lock the movement (after the return) for who decides by it."""
    movement = remote_operations.standing(owner=found.reference, leg=found.gives_back_by, lock=lock)
    trade = Trade.objects.filter(reference=found.trade_reference).first() if found.trade_reference else None
    return ReturnFacts(found=found, movement=movement, trade=trade)
