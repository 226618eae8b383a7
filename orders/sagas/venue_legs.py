"""What an outside venue is asked for a trade: its legs reserve, execute and release, under the trade's own reference."""

from collections.abc import Mapping
from dataclasses import dataclass

from ledger import assets
from orders import trade_terms
from orders.models import Order, Pool, Trade
from wallets import channels, remote_operations
from wallets.remote_operations import Leg, Standing

RESERVE, EXECUTE, RELEASE = "reserve", "execute", "release"


def leg(order: Order, trade: Trade, name: str) -> Leg:
    """Return one leg of a trade. The house is its tenant; the venue learns the terms and our ids, not whose order it is.

    In the test environment it learns the user reference too: the sandbox's magic values stand there.
    """
    pool = Pool.objects.select_related("venue").get(pk=trade.pool_id)
    assert pool.venue is not None
    terms = channels.terms_of(pool.venue.gateway_id)
    taken, given = trade_terms.at_the_venue(order, trade)
    return Leg(
        owner=trade.reference,
        name=name,
        gateway_id=terms.gateway_id,
        environment=trade.environment,
        operator_id=terms.owner_id,
        amount=taken,
        user_reference=order.user_reference,
        partner_order_id="",
        details={
            "pool": trade.pool_code,
            "side": order.side,
            "given_asset": given.asset,
            "given_amount": assets.text(given.minor, given.asset),
            "quote_id": trade.quote_reference,
            "venue_quote_id": str(trade.terms["venue_quote"]),
        },
    )


@dataclass(frozen=True, slots=True)
class Legs:
    """The legs of one trade as they stand, locked until the transaction's end."""

    standing: Mapping[str, Standing]

    def was_asked(self, name: str) -> bool:
        """Tell whether this leg may have been sent."""
        return name in self.standing and self.standing[name].was_asked

    def are_to_be_reserved(self, pool: Pool) -> bool:
        """Tell whether the trade's venue can hold its terms, and does not yet."""
        if pool.venue is None or not pool.venue.reserves:
            return False
        return RESERVE not in self.standing or not self.standing[RESERVE].confirmed


def lock(trade: Trade) -> Legs:
    """Lock what a trade's venue was asked or will be: after the trade, and before its pool. A built-in pool's has none."""
    if not trade_terms.is_outside(trade):
        return Legs({})
    found = {name: standing(trade, name, lock=True) for name in (RESERVE, EXECUTE, RELEASE)}
    return Legs({name: one for name, one in found.items() if one is not None})


def reserves(trade: Trade) -> bool:
    """Tell whether the trade's venue can hold its terms."""
    return Pool.objects.filter(pk=trade.pool_id, venue__reserves=True).exists()


def standing(trade: Trade, name: str, *, lock: bool = False) -> Standing | None:
    return remote_operations.standing(owner=trade.reference, leg=name, lock=lock)


def was_asked(trade: Trade, name: str, *, lock: bool = False) -> bool:
    """Tell whether this leg may have been sent."""
    found = standing(trade, name, lock=lock)
    return found is not None and found.was_asked


def is_reserved(trade: Trade) -> bool:
    found = standing(trade, RESERVE)
    return found is not None and found.state == "confirmed"
