"""The steps of a trade that an outside venue executes; buy and sell take them where a built-in pool would settle at once.

1 a venue that can reserve is asked to, in *processing*, before a buy's debit or a sell's execution (`reserve`); refused, or
  unknown at the cap, the order fails: nothing of ours has moved, and a reservation that may stand is released until the
  venue answers
2 after the debit it is asked to execute (`execute`); one that cannot reserve no later than `execute_by`: past it, never
  asked, a debited order is compensated. A sell is executed in *processing*, before our own books are settled
3 confirmed: the trade is settled with the order's move · refused for sure: compensation, or, of a sell, failed
4 unknown at the cap: manual review; people prove the trade, or its absence · executed when a sell's position was spent, since
  its hold had ended: manual review; people give it up, or prove it once the position is there
5 a reservation that the venue has released itself, while the order lives: once more, under the same order, with a new trade
  that names the released one, if the terms still hold (0Pools: Remove hold and allow retry)
"""

from collections.abc import Callable
from datetime import datetime
from typing import Final, assert_never

from django.db import transaction as db_transaction

from ledger.controls import clock, references
from ledger.controls.moves import Why
from orders import trade_holds, trade_terms, transitions
from orders.locks import lock_order, lock_pool, lock_trade_of
from orders.models import Order, Quote, Trade
from orders.sagas import releasing, venue_legs
from orders.sagas.progress import MOVED, Progress, Wait
from orders.sagas.venue_legs import EXECUTE, RESERVE
from orders.sagas.wallet_legs import credit_leg, reverse_leg
from orders.venue_adapters import venue_of
from wallets import remote_operations
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown
from wallets.remote_operations import Performed

_State = Order.State

RELEASED: Final = "released"
"""A venue's word: it has given the reservation back, so that there is nothing to execute."""

UNKNOWN: Final = "trade_unknown"
_REASONS: Final = frozenset({"price_moved"})
_REFUSED: Final = "trade_refused"
_NOT_ASKED: Final = "trade_not_asked"
_NOT_RESERVED: Final = "trade_not_reserved"


def reserve(reference: str) -> Progress:
    """Have the order's newest trade reserved, in *processing* or, of a retry, after the debit."""
    order, trade = _newest(reference)
    performed = remote_operations.perform(
        venue_legs.leg(order, trade, RESERVE),
        waits=_still(order, trade),
        execute_by=order.execute_by,
    )
    match performed.outcome:
        case Confirmed():
            return MOVED
        case Rejected(reason):
            why = Why(transitions.SAGA, "the reservation was refused", evidence={"reason": reason})
            return _give_up(order, trade, how="fail", status_reason=_word(reason), why=why)
        case Unknown(cause):
            if (wait := _wait(order, performed, cause, until=order.execute_by)) is not None:
                return wait
            if cause is Cause.NOT_ASKED:
                return _never_asked(order, trade, RESERVE)
            why = Why(transitions.SAGA, "reservation unknown at the cap", evidence={"cause": cause.value})
            return _give_up(order, trade, how="release", status_reason=_NOT_RESERVED, why=why)
        case _:
            assert_never(performed.outcome)


def execute(reference: str) -> Progress:
    """Have the order's newest trade executed, at its terms."""
    order, trade = _newest(reference)
    reserves = venue_legs.reserves(trade)
    if order.state == _State.OPERATOR_DEBITED and reserves and not venue_legs.is_reserved(trade):
        return reserve(reference)
    if (given_up := _halted(order)) is not None:
        return given_up
    until = None if reserves and order.side == Quote.Side.BUY else order.execute_by
    performed = remote_operations.perform(
        venue_legs.leg(order, trade, EXECUTE), waits=_still(order, trade), execute_by=until
    )
    match performed.outcome:
        case Confirmed(remote_ref):
            return _executed(order, remote_ref)
        case Rejected(reason):
            why = Why(transitions.SAGA, "trade refused", evidence={"reason": reason})
            if reason == RELEASED and not trade.retry_of and venue_legs.is_reserved(trade):
                return _try_again(order, trade, why)
            how = "release" if reason == RELEASED else "fail"
            return _give_up(order, trade, how=how, status_reason=_word(reason), why=why)
        case Unknown(cause):
            if (wait := _wait(order, performed, cause, until=until)) is not None:
                return wait
            if cause is Cause.NOT_ASKED:
                return _never_asked(order, trade, EXECUTE)
            return _stop_for_review(order, cause)
        case _:
            assert_never(performed.outcome)


def _newest(reference: str) -> tuple[Order, Trade]:
    order = Order.objects.get(reference=reference)
    trade = Trade.objects.filter(order_reference=reference).order_by("-pk").first()
    assert trade is not None, f"{reference} has no trade"
    return order, trade


def _still(order: Order, trade: Trade) -> Callable[[], bool]:
    """Lock order and trade in the claim's transaction: nothing is asked for an order that moved on, or another trade."""

    def waits() -> bool:
        locked = lock_order(order.reference)
        newest = lock_trade_of(locked)
        return locked.state == order.state and newest.pk == trade.pk and newest.state == Trade.State.RESERVED

    return waits


def _wait(order: Order, performed: Performed, cause: Cause, *, until: datetime | None) -> Progress | None:
    """Return the wait while the automatic path goes on; None when its end has come."""
    if cause is Cause.IN_FLIGHT:
        return Wait(performed.wait)
    if cause is Cause.NOT_ASKED:
        return Wait(performed.wait) if until is None or clock.now() <= until else None
    return None if performed.exhausted else Wait(performed.wait)


def _halted(order: Order) -> Progress | None:
    """Give up what can surely no longer be executed, while the venue was not asked to: its pool was halted, say."""
    with db_transaction.atomic():
        order = lock_order(order.reference)
        trade = lock_trade_of(order)
        legs = venue_legs.lock(trade)
        pool = lock_pool(trade.pool_id)
        failure = trade_holds.failure(trade) or venue_of(pool).failure(pool=pool, side=order.side)
        if not failure or legs.was_asked(EXECUTE):
            return None
        if order.state not in (_State.PROCESSING, _State.OPERATOR_DEBITED):
            return MOVED
        why = Why(transitions.SAGA, f"{failure} before the execution")
        _end(order, trade, how="fail", status_reason=failure, why=why, now=clock.now())
    return MOVED


def _executed(order: Order, remote_ref: str) -> Progress:
    """The venue has executed it: our books follow, with the order's move."""
    expected = order.state
    credit = credit_leg(order, version=1) if order.side != Quote.Side.BUY else None
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state != expected:
            return MOVED
        trade = lock_trade_of(order)
        if lack := trade_holds.lack(trade):
            _stop_as_spent(order, lack, remote_ref)
            return MOVED
        why = Why(transitions.SAGA, "trade executed", evidence={"remote_ref": remote_ref})
        settlements, now = trade_holds.settlements(trade), clock.now()
        if credit is None:
            transitions.complete(order, trade=trade, drafts=settlements, why=why, now=now)
        else:
            operation = remote_operations.birth(credit)
            transitions.request_credit(order, trade=trade, drafts=settlements, operation=operation, why=why, now=now)
    return MOVED


def _never_asked(order: Order, trade: Trade, name: str) -> Progress:
    """Give up what was never asked in time; not what another worker has asked meanwhile."""
    why = Why(transitions.SAGA, "never asked in time")
    return _give_up(order, trade, how="release", status_reason=_NOT_ASKED, why=why, unless_asked=name)


def _give_up(
    order: Order, trade: Trade, *, how: str, status_reason: str, why: Why, unless_asked: str | None = None
) -> Progress:
    """End what surely was not traded, unless the order has moved on meanwhile."""
    expected = order.state
    with db_transaction.atomic():
        order = lock_order(order.reference)
        newest = lock_trade_of(order)
        if order.state != expected or newest.pk != trade.pk:
            return MOVED
        if unless_asked is not None and venue_legs.was_asked(newest, unless_asked, lock=True):
            return MOVED
        _end(order, newest, how=how, status_reason=status_reason, why=why, now=clock.now())
    return MOVED


def _end(order: Order, trade: Trade, *, how: str, status_reason: str, why: Why, now: datetime) -> None:
    """Fail the order while nothing has moved; give the debit back once it has. What the venue may hold is released."""
    also = releasing.given_up(order, trade, now=now)
    releases = trade_holds.releases(trade)
    if order.state == _State.PROCESSING:
        transitions.fail(
            order, trade=trade, how=how, status_reason=status_reason, drafts=releases, why=why, now=now, also=also
        )
        return
    transitions.begin_compensation(
        order,
        operation=remote_operations.birth(reverse_leg(order, version=1)),
        trade=trade,
        how=how,
        status_reason=status_reason,
        drafts=releases,
        why=why,
        now=now,
        also=also,
    )


def _try_again(order: Order, trade: Trade, why: Why) -> Progress:
    """Release the trade and reserve its successor at the same terms, in one transaction; the order stays where it is.

    What is reserved here no more is given up: its position may be spent, and nothing keeps these terms.
    """
    expected = order.state
    with db_transaction.atomic():
        order = lock_order(order.reference)
        trade = lock_trade_of(order)
        if order.state != expected or trade.retry_of or trade.state != Trade.State.RESERVED:
            return MOVED
        now = clock.now()
        if ended := trade_holds.failure(trade):
            _end(order, trade, how="release", status_reason=ended, why=why, now=now)
            return MOVED
        retry = _successor(trade)
        transitions.try_again(
            trade,
            retry,
            drafts=[trade_terms.release(trade), trade_terms.reservation(retry)],
            why=why,
            now=now,
            also=releasing.given_up(order, trade, now=now),
        )
    return MOVED


def _successor(trade: Trade) -> Trade:
    reference = references.new(references.Prefix.TRADE)
    return Trade(
        reference=reference,
        environment=trade.environment,
        operator_id=trade.operator_id,
        order_reference=trade.order_reference,
        quote_reference=trade.quote_reference,
        pool_id=trade.pool_id,
        pool_code=trade.pool_code,
        idempotency_key=trade.idempotency_key,
        hold_key=f"{reference}:reserve",
        terms=trade.terms,
        retry_of=trade.reference,
    )


def _stop_for_review(order: Order, cause: Cause) -> Progress:
    expected = order.state
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state == expected:
            transitions.stop_for_review(
                order,
                reason=UNKNOWN,
                next_action="Look up the trade at its venue; prove it or its absence.",
                why=Why(transitions.SAGA, "trade unknown at the cap", evidence={"cause": cause.value}),
                now=clock.now(),
            )
    return MOVED


def _stop_as_spent(order: Order, lack: str, remote_ref: str) -> None:
    """Hand an executed sell to people, under its lock: its reservation had ended, and its position was spent since."""
    transitions.stop_for_review(
        order,
        reason=trade_holds.SPENT,
        next_action="Find out how the reservation ended; have the position back, or give the trade up.",
        why=Why(transitions.SAGA, "executed, but not booked", evidence={"remote_ref": remote_ref, "lacks": lack}),
        now=clock.now(),
    )


def _word(reason: str) -> str:
    """Return the stable word that an operator sees: never a venue's own."""
    return reason if reason in _REASONS else _REFUSED
