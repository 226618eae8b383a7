"""What we know ourselves of a pool whose trades an outside venue executes; what it says goes through the remote door."""

from ledger.controls import clock
from ledger.controls.refusals import Refusal
from orders.models import Order, Pool, Quote
from orders.venue_port import Executed, PoolHalted, PoolUnavailable, Refused, SideNotOffered
from orders.venues.halts import is_halted
from wallets import channels


class AskedPastTheDoor(RuntimeError):
    """An outside venue was asked as if it were built in: a defect, since it is asked through the remote door alone."""


class OutsideVenue:
    def price(self, *, pool: Pool, side: str, taken_in: int, position: str) -> int:
        """Never asked: an outside price is an offer that was asked for before (`venue_port.PriceNeeded`)."""
        raise AskedPastTheDoor

    def covers(self, *, pool: Pool, side: str, taken_in: int, given_out: int, position: str) -> bool:
        """Whether it does, the venue says when it is asked to reserve or execute: our books hold nothing of it."""
        return True

    def refusal(self, *, pool: Pool, side: str) -> Refusal | None:
        if side == Quote.Side.REDEMPTION:
            return SideNotOffered()
        if is_halted(pool):
            return PoolHalted()
        assert pool.venue is not None
        terms = channels.terms_of(pool.venue.gateway_id)
        wait = terms.held_back_for(clock.now())
        return PoolUnavailable(wait=wait) if wait is not None else None

    def failure(self, *, pool: Pool, side: str) -> str:
        return "pool_halted" if is_halted(pool) else ""

    def execute(self, *, pool: Pool, order: Order) -> Executed | Refused:
        """Never asked: execution is a leg of the trade (`orders.sagas.outside`)."""
        raise AskedPastTheDoor
