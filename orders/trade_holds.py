"""A reservation whose hold has ended behind its order: never by its own timeout, which is 0, but by hand, or a restore.

Ended the way it is wanted, it is success: what gives it back posts nothing. A trade that was not executed yet is then surely
not traded. One that an outside venue has executed is a fact: the same lines are held once more, and posted with that, unless
the position of a sell was spent meanwhile: then people decide.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from ledger import assets, balances, holds
from ledger.drafts import Draft
from ledger.money import Money
from orders import trade_terms
from orders.models import Trade
from orders.sagas.hold_ends import GIVEN_BACK

ENDED: Final = "reservation_ended"
"""The status reason of an order that ends by it."""

SPENT: Final = "position_spent"
"""The status reason of a sell that its venue has executed and that cannot be booked: its position is not there."""


def is_given_back(trade: Trade) -> bool:
    """Tell whether the hold of a reserved trade was voided or has expired."""
    return holds.state_of(environment=trade.environment, key=trade.hold_key) in GIVEN_BACK


def failure(trade: Trade) -> str:
    """Return why a trade that is not executed surely will not be, as far as its reservation goes; "" when it stands."""
    return ENDED if is_given_back(trade) else ""


def lack(trade: Trade) -> str:
    """Say what the position lacks for a trade that was executed behind a hold that has ended; "" when it can be booked.

    A buy lacks nothing: what it takes stands at the venue and in transit, which have no balance rule.
    """
    sold = trade.terms["amounts"].get("sold")
    if sold is None or not is_given_back(trade):
        return ""
    place = (trade.terms["accounts"]["position"], sold["asset"])
    left = balances.read(environment=trade.environment, accounts=[place])[place].available
    short = Money(int(sold["minor"]) - left, sold["asset"])
    return f"{assets.text(short.minor, short.asset)} {short.asset}" if short.minor > 0 else ""


def releases(trade: Trade) -> list[Draft]:
    """Return what gives the reservation back: nothing when it was given back already."""
    return [] if is_given_back(trade) else [trade_terms.release(trade)]


def settlements(trade: Trade) -> Sequence[Draft]:
    """Return what books a trade that is executed outside: behind a hold placed anew when the first has ended."""
    settlement = trade_terms.settlement(trade)
    if not is_given_back(trade):
        return [settlement]
    again = f"{trade.reference}:reserve:again"
    return [replace(trade_terms.reservation(trade), key=again), replace(settlement, hold_key=again)]
