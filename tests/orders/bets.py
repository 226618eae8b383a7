"""A market for tests, opened, traded and ended by real operations."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.money import Money
from orders.models import Market, Order, Quote
from orders.operations import open_market, resolve_market
from orders.operations.create_quote import create_quote
from tests.orders import books
from tests.orders.desk import Desk, reloaded

FUNDING = 100_000


@dataclass
class Bets:
    desk: Desk
    code: str = "RAIN-2026"

    @property
    def market(self) -> Market:
        return Market.objects.get(code=self.code)

    def quote(self, outcome: str, amount: str, *, side: str = "buy", user: str = "alice") -> Quote:
        with db_transaction.atomic():
            return create_quote(
                caller=self.desk.caller,
                pool_code=f"{self.code}-{outcome}",
                side=side,
                source_asset="EUR" if side == "buy" else outcome,
                source_amount=amount,
                user_reference=user,
                firm=True,
                now=clock.now(),
            )

    def order(self, outcome: str, amount: str, *, side: str = "buy", user: str = "alice") -> Order:
        return self.desk.submit(self.quote(outcome, amount, side=side, user=user))

    def done(self, outcome: str, amount: str, *, side: str = "buy", user: str = "alice") -> Order:
        order = self.order(outcome, amount, side=side, user=user)
        self.desk.drive(passes=1, pause=timedelta(seconds=1))
        order = reloaded(order)
        assert order.state == "processed", order.status_reason
        return order

    def close(self) -> None:
        with db_transaction.atomic():
            resolve_market.close_market(
                environment="test", code=self.code, reason="the day is over", actor="user:lead", now=clock.now()
            )

    def propose(self, price_yes: str, *, actor: str = "user:lead", evidence: str = "the weather office") -> str:
        with db_transaction.atomic():
            return resolve_market.propose_outcome(
                environment="test",
                code=self.code,
                price_yes=price_yes,
                evidence=evidence,
                actor=actor,
                now=clock.now(),
            )

    def approve(self, *, actor: str = "user:other") -> Market:
        with db_transaction.atomic():
            return resolve_market.approve_outcome(
                environment="test", code=self.code, reason="checked", actor=actor, now=clock.now()
            )

    def end(self, price_yes: str) -> None:
        self.close()
        self.propose(price_yes)
        self.approve()

    def held(self, outcome: str, *, user: str = "alice") -> int:
        row = books.balances().get((f"positions:acme:{self.code}.{user}", outcome), (0, 0, 0, 0))
        return row[1] - row[0]

    def cash(self) -> int:
        row = books.balances()[f"pools:{self.code}", "EUR"]
        return row[1] - row[0]


def open_bets(desk: Desk, *, code: str = "RAIN-2026", funding_minor: int = FUNDING) -> Bets:
    with db_transaction.atomic():
        open_market.open_market(
            environment="test",
            code=code,
            question="Will it rain?",
            funding=Money(funding_minor, "EUR"),
            minimum_minor=100,
            maximum_minor=5_000_000,
            actor="user:lead",
            now=clock.now(),
        )
    return Bets(desk, code)


def text(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02}"
