"""Outside venues for tests: pools whose trades the scripted counterparty executes, by the same gateway port as a wallet."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.money import Money
from orders import venue_lanes
from orders.models import Order, Pool, Quote, Trade
from orders.operations.create_quote import create_quote
from orders.venue_port import Offer, PriceNeeded
from tests.orders.desk import Desk, reloaded

GIVEN = 107_310_000


@dataclass
class Lanes:
    """Two pools at two outside venues: one can reserve, one cannot. Their price is a matter of the test's."""

    desk: Desk

    def quote(self, *, reserves: bool = True, side: str = "buy", amount: str = "100.00", user: str = "alice") -> Quote:
        """Return a firm quote, with an offer such as the venue would make."""
        pool = code(reserves=reserves)
        asset = "EUR" if side == "buy" else "USDT"

        def created(offer: Offer | None) -> Quote:
            with db_transaction.atomic():
                return create_quote(
                    caller=self.desk.caller,
                    pool_code=pool,
                    side=side,
                    source_asset=asset,
                    source_amount=amount,
                    user_reference=user,
                    firm=True,
                    now=clock.now(),
                    offer=offer,
                )

        try:
            return created(None)
        except PriceNeeded as needed:
            given = Money(GIVEN if side == "buy" else 4_600, needed.given_asset)
            return created(Offer(needed.pool.pk, needed.side, needed.taken_in, given, "vq-1"))

    def order(self, *, reserves: bool = True, side: str = "buy", amount: str = "100.00", user: str = "alice") -> Order:
        return self.desk.submit(self.quote(reserves=reserves, side=side, amount=amount, user=user))

    def holding(self, *, reserves: bool = True, user: str = "alice") -> Order:
        """Have the user buy what can be sold, and forget what was asked for it."""
        order = self.order(reserves=reserves, user=user)
        self.desk.drive(passes=1, pause=timedelta(seconds=1))
        assert reloaded(order).state == "processed", reloaded(order).status_reason
        self.desk.wallet.calls.clear()
        return reloaded(order)


def code(*, reserves: bool) -> str:
    return "EUR-USDT-R" if reserves else "EUR-USDT-P"


def open_lanes(desk: Desk) -> Lanes:
    for venue, reserves in (("north", True), ("south", False)):
        lane = venue_lanes.Lane(venue, reserves, code(reserves=reserves), "EUR", "USDT")
        with db_transaction.atomic():
            venue_lanes.open_lane(
                lane,
                environment="test",
                adapter="scripted",
                base_url="http://venue.invalid",
                secret="whsec_c2VjcmV0",
                now=clock.now(),
            )
    return Lanes(desk)


def trades_of(order: Order) -> list[Trade]:
    return list(Trade.objects.filter(order_reference=order.reference).order_by("pk"))


def pool_of(*, reserves: bool) -> Pool:
    return Pool.objects.get(code=code(reserves=reserves))
