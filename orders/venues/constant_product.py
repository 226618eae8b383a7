"""The built-in constant-product pool: its reserves are the ledger balances of `pools:{code}`."""

from typing import Final

from django.conf import settings

from ledger import accounts, balances
from ledger.controls import clock
from ledger.controls.refusals import Refusal
from ledger.environments import Environment
from orders.models import Order, Pool, PoolHalt, Quote
from orders.venue_port import Executed, PoolHalted, Refused, SideNotOffered
from orders.venues import curve
from orders.venues.halts import is_halted

_WHOLE: Final = 10_000  # basis points
_NOBODY = balances.Balance("", "", "credit", 0, 0, 0, 0)


class ConstantProductVenue:
    def price(self, *, pool: Pool, side: str, taken_in: int, position: str) -> int:
        """Price by the curve, less the pool's margin: what is offered then still stands when others' orders came between."""
        output = curve.output(taken_in=taken_in, reserves=_reserves(pool, side))
        return output * (_WHOLE - pool.quote_margin_bps) // _WHOLE

    def covers(self, *, pool: Pool, side: str, taken_in: int, given_out: int, position: str) -> bool:
        return curve.covers(taken_in=taken_in, given_out=given_out, reserves=_reserves(pool, side))

    def refusal(self, *, pool: Pool, side: str) -> Refusal | None:
        if side == Quote.Side.REDEMPTION:
            return SideNotOffered()
        return PoolHalted() if is_halted(pool) else None

    def failure(self, *, pool: Pool, side: str) -> str:
        return "pool_halted" if is_halted(pool) else ""

    def execute(self, *, pool: Pool, order: Order) -> Executed | Refused:
        if _asks_to_halt(order):
            _halt(pool)
        failure = self.failure(pool=pool, side=order.side)
        return Refused(failure) if failure else Executed()


def _reserves(pool: Pool, side: str) -> curve.Reserves:
    """Return the reserves at their worst case for one direction."""
    address = accounts.pool(pool.ledger_name)
    wanted = [(address, pool.position_asset), (address, pool.cash_asset)]
    if side == Quote.Side.SELL:
        wanted.reverse()
    found = balances.read(environment=pool.environment, accounts=wanted)
    given = found.get(wanted[0], _NOBODY)
    taken = found.get(wanted[1], _NOBODY)
    return curve.Reserves(
        given=given.credits_posted - given.debits_posted - given.debits_pending,
        taken=taken.credits_posted - taken.debits_posted + taken.credits_pending,
    )


def _asks_to_halt(order: Order) -> bool:
    """A test pool halts itself, after acceptance, by a magic value of the user's reference (docs/sandbox.md)."""
    return order.environment == Environment.TEST and order.user_reference.startswith(settings.SANDBOX_HALT_WORDS)


def _halt(pool: Pool) -> None:
    PoolHalt.objects.get_or_create(
        pool=pool,
        lifted_at=None,
        defaults={"reason": "halted itself by a magic value", "halted_by": "sandbox", "halted_at": clock.now()},
    )
