"""An operator's desk for tests: a wallet, pools, fees and rates in place; orders submitted and driven by real moves."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from ledger.controls.rest.caller import Caller
from orders import sandbox_pools
from orders.models import Order, Quote, ReviewCase, Trade
from orders.operations.create_quote import create_quote
from orders.operations.submit_order import submit_order
from tests.orders.wallet import ScriptedWallet
from wallets import operators
from wallets.models import Gateway

START = datetime(2026, 3, 14, 9, 0, tzinfo=UTC)


@dataclass
class Desk:
    caller: Caller
    wallet: ScriptedWallet
    clock: FixedClock

    def quote(self, amount: str = "100.00", *, user: str = "alice", pool: str = "EUR-USDT", firm: bool = True) -> Quote:
        with db_transaction.atomic():
            return create_quote(
                caller=self.caller,
                pool_code=pool,
                side="buy",
                source_asset="EUR",
                source_amount=amount,
                user_reference=user,
                firm=firm,
                now=clock.now(),
            )

    def sell_quote(
        self, amount: str = "50.00", *, user: str = "alice", pool: str = "EUR-USDT", asset: str = "USDT"
    ) -> Quote:
        with db_transaction.atomic():
            return create_quote(
                caller=self.caller,
                pool_code=pool,
                side="sell",
                source_asset=asset,
                source_amount=amount,
                user_reference=user,
                firm=True,
                now=clock.now(),
            )

    def submit(self, quote: Quote, *, partner_order_id: str = "", key: str = "") -> Order:
        partner = partner_order_id or f"p-{quote.reference}"
        with db_transaction.atomic():
            return submit_order(
                caller=self.caller,
                quote_reference=quote.reference,
                partner_order_id=partner,
                user_reference=quote.user_reference,
                idempotency_key=key or f"{partner}:accept:v1",
                now=clock.now(),
            )

    def order(self, amount: str = "100.00", *, user: str = "alice", pool: str = "EUR-USDT") -> Order:
        return self.submit(self.quote(amount, user=user, pool=pool))

    def sell(self, amount: str = "50.00", *, user: str = "alice", pool: str = "EUR-USDT", asset: str = "USDT") -> Order:
        return self.submit(self.sell_quote(amount, user=user, pool=pool, asset=asset))

    def holding(self, amount: str = "100.00", *, user: str = "alice", pool: str = "EUR-USDT") -> Order:
        """Have the user buy what can be sold, and forget what the wallet was asked for it."""
        order = self.order(amount, user=user, pool=pool)
        self.drive(passes=1, pause=timedelta(seconds=1))
        assert reloaded(order).state == "processed"
        self.wallet.calls.clear()
        return reloaded(order)

    def drive(self, *, passes: int = 40, pause: timedelta = timedelta(seconds=30)) -> None:
        """Drain the sagas until every order waits for people or has ended; time passes between the passes."""
        for _ in range(passes):
            drains.drain("sagas")
            self.clock.move_to(self.clock.now() + pause)

    def later(self, **time: float) -> None:
        self.clock.move_to(self.clock.now() + timedelta(**time))


def open_desk(wallet: ScriptedWallet, fixed: FixedClock, *, slug: str = "acme", **gateway: object) -> Desk:
    """Set up an operator with a test gateway to the scripted wallet. Call under `clock.use(fixed)`."""
    now = fixed.now()
    wallet.now = fixed.now
    sandbox_pools.load(now=now)
    operator = operators.create_operator(name=slug.title(), slug=slug, kind="operator", now=now)
    operators.open_operator_accounts(operator=operator, environment="test", wallet_asset="EUR")
    Gateway.objects.create(
        operator=operator,
        environment="test",
        adapter="scripted",
        base_url="http://wallet.invalid",
        secret="whsec_c2VjcmV0",
        wallet_asset="EUR",
        **gateway,
    )
    caller = Caller(
        operator_id=operator.pk,
        operator_reference=operator.reference,
        operator_slug=operator.slug,
        is_house=False,
        environment="test",
        key_id=0,
        scopes=frozenset(operators.OPERATOR_SCOPES),
    )
    return Desk(caller=caller, wallet=wallet, clock=fixed)


def reloaded(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def trade_of(order: Order) -> Trade:
    return Trade.objects.get(order_reference=order.reference)


def open_case(order: Order) -> ReviewCase:
    return ReviewCase.objects.exclude(state="resolved").get(subject=order.reference)
