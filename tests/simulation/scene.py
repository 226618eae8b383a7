"""Everything that stands in a world before anybody acts: operator, wallet service, receiver; pools and more, or wallets."""

from copy import deepcopy
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.rest.caller import Caller
from ledger.controls.roles import Role
from ledger.money import Money
from orders import sandbox_pools
from orders.models import ApprovalThreshold
from orders.operations.create_quote import create_quote
from orders.operations.open_market import open_market
from orders.operations.submit_order import submit_order
from tests.reviewers import reviewer
from tests.simulation import payouts_under_way, scene_of_payments, trades_under_way, transfers_under_way, venues
from tests.simulation.bank_news import BankNews
from tests.simulation.bank_service import BankService
from tests.simulation.outside import Outside
from tests.simulation.processes import Actor
from tests.simulation.receiver import Receiver
from tests.simulation.terms import CROWD, PAYMENTS, PAYOUTS, VENUE
from tests.simulation.truth import Truth
from tests.simulation.venue_news import VenueNews
from tests.simulation.venue_service import VenueService
from tests.simulation.wallet_news import WalletNews
from tests.simulation.wallet_service import Movement, WalletService
from wallets import inbox_provider, operators
from wallets.models import Gateway
from webhooks import endpoints, outbound

if TYPE_CHECKING:
    from tests.simulation.world import World

MARKET: Final = "RAIN-2026"
USERS: Final = ("alice", "bob")
PEOPLE: Final = ("ann", "ben", "cleo")
_ALL_TOPICS: Final = ("order.*", "trade.*", "intent.*", "payin.*", "payout.returned")
_ENDS: Final = ("intent.SETTLED", "intent.FAILED", "intent.CANCELLED", "payin.*", "payout.returned")
_TOPICS: Final = {CROWD: ("order.*",), VENUE: ("trade.*",), PAYMENTS: _ENDS, PAYOUTS: _ENDS}
_CROWDED: Final = ("EUR-USDT", "EUR-ETH", "USD-ETH")
"""Pools that several wait for at once."""
WALLET_URL: Final = "http://wallet.invalid"
HOOKS_URL: Final = "https://hooks.example.com/in"


class Scene:
    """`caller` is the operator's key; `wallet` and `receiver` are its servers; `truth` compares them with our rows."""

    caller: Caller

    def __init__(self, world: "World") -> None:
        self.world = world
        self.truth = Truth(world)
        self.news = WalletNews(world)
        self.wallet = WalletService(world, told=self.news.tell)
        self.bank_news = BankNews(world)
        self.bank = BankService(world, told=self.bank_news.tell)
        self.venue = VenueService(world)
        self.venue_news = VenueNews(world)
        self.receiver = Receiver(world)
        self.wallets: list[str] = []
        self.outside = Outside(world, wallet=self.wallet, bank=self.bank, venue=self.venue, receiver=self.receiver)

    @property
    def movements(self) -> list[Movement]:
        """Return all money that really moved outside."""
        return [*self.wallet.movements, *self.bank.movements, *self.venue.movements]

    @property
    def topics(self) -> tuple[str, ...]:
        """Return what the operator wants to be told: only of the ends, where a world is of the outside."""
        return _TOPICS.get(self.world.terms.theme, _ALL_TOPICS)

    @property
    def tellers(self) -> list[Actor]:
        """Return the counterparties of this world that tell our inbox by themselves."""
        if self.world.terms.pays:
            return [self.bank_news]
        return [self.news, self.venue_news] if self.world.terms.theme == VENUE else [self.news]

    def prepare(self) -> None:
        """Put the scene's rows back, or set it up when it is the first of its kind; then give it this world's terms."""
        terms, stage = self.world.terms, self.world.stage
        name = terms.scene
        if not stage.backdrop.has(name):
            stage.scenes[name] = self._kept_aside(name)
        stage.backdrop.put_back(name)
        self._take(deepcopy(stage.scenes[name]))
        if self.world.seed % 2 == 0:  # in every other world each decision takes two people
            ApprovalThreshold.objects.update(amount_minor=0)
        Gateway.objects.update(
            requery_cap=terms.requery_cap,
            not_found_horizon_ms=terms.not_found_horizon // timedelta(milliseconds=1),
            resubmit=terms.resubmit,
            concurrency=terms.concurrency,
        )

    def _kept_aside(self, name: str) -> dict[str, Any]:
        """Set it up in a world of its own, so that this one's clock and chance know nothing of it."""
        from tests.simulation.world import World

        stage = self.world.stage
        stage.backdrop.clear()
        first = World(0, stage, terms=self.world.terms)
        first.scene = Scene(first)
        with clock.use(first.clock), outbound.use(first.scene.outside):
            first.scene._set_up()
        stage.backdrop.keep(name)
        return deepcopy(first.scene._kept())

    def _kept(self) -> dict[str, Any]:
        return {
            "caller": self.caller,
            "provider": self.news.provider,
            "secrets": (self.news.secret, self.receiver.secret),
            "taken": self.receiver.taken,
            "wallet": (self.wallet.operations, self.wallet.movements),
            "payments": (self.wallets, self.bank_news.secrets),
            "inboxes": self.venue.inboxes,
        }

    def _take(self, kept: dict[str, Any]) -> None:
        self.caller, self.news.provider = kept["caller"], kept["provider"]
        self.news.secret, self.receiver.secret = kept["secrets"]
        self.receiver.taken = kept["taken"]
        self.wallet.operations, self.wallet.movements = kept["wallet"]
        self.wallets, self.bank_news.secrets = kept["payments"]
        self.venue.open(kept["inboxes"])

    def _set_up(self) -> None:
        world = self.world
        now = world.clock.now()
        for name in PEOPLE:
            reviewer(name)
        reviewer("ann", role=Role.FINANCE)
        sandbox_pools.load(now=now)
        operator = operators.create_operator(name="Acme", slug="acme", kind="operator", now=now)
        operators.open_operator_accounts(operator=operator, environment="test", wallet_asset="EUR")
        gateway = Gateway.objects.create(
            operator=operator,
            environment="test",
            base_url=WALLET_URL,
            secret="whsec_YSB3YWxsZXQgc2VjcmV0IG9mIHNvbWUgbGVuZ3Ro",
            wallet_asset="EUR",
            time_limit_ms=2_000,
            requery_backoff_ms=500,
            pending_backoff_ms=5_000,
            pending_horizon_ms=60_000,
            breaker_failures=6,
            breaker_open_ms=5_000,
        )
        made = inbox_provider.ensure(gateway, now=now)
        assert made is not None
        self.news.provider, self.news.secret = made.provider.code, made.secret
        self.caller = Caller(
            operator_id=operator.pk,
            operator_reference=operator.reference,
            operator_slug=operator.slug,
            is_house=False,
            environment="test",
            key_id=0,
            scopes=frozenset(operators.OPERATOR_SCOPES),
        )
        self.receiver.secret = endpoints.create(
            operator_id=operator.pk,
            environment="test",
            url=HOOKS_URL,
            topics=list(self.topics),
            description="",
            now=now,
        ).secret
        if world.terms.pays:
            scene_of_payments.set_up(self, operator)
            (payouts_under_way if world.terms.theme == PAYOUTS else transfers_under_way).set_up(self)
            return
        if world.terms.theme == VENUE:
            self.venue.open(venues.set_up(now))
        if world.terms.has_market:
            self._open_market()
        if world.terms.holds_position:
            self._buy("EUR-USDT", "300.00")
            if world.terms.has_market:
                self._buy(f"{MARKET}-YES", "50.00")
            drains.drain("sagas")
        for kind in ("relay", "deliveries", "seals", "fold"):
            drains.drain(kind)
        if world.terms.theme == CROWD:
            for amount in ("40.00", "41.00"):
                for user in USERS:
                    for pool in _CROWDED:
                        self._buy(pool, amount, user)
        if world.terms.theme == VENUE:
            trades_under_way.set_up(self, users=USERS, sells=world.terms.holds_position)

    def _open_market(self) -> None:
        with db_transaction.atomic():
            open_market(
                environment="test",
                code=MARKET,
                question="Will it rain?",
                funding=Money(100_000, "EUR"),
                minimum_minor=100,
                maximum_minor=5_000_000,
                actor="user:cleo",
                now=self.world.clock.now(),
            )

    def _buy(self, pool: str, amount: str, user: str = USERS[0]) -> None:
        """Have a user's buy accepted."""
        with db_transaction.atomic():
            quote = create_quote(
                caller=self.caller,
                pool_code=pool,
                side="buy",
                source_asset="EUR",
                source_amount=amount,
                user_reference=user,
                firm=True,
                now=self.world.clock.now(),
            )
            submit_order(
                caller=self.caller,
                quote_reference=quote.reference,
                partner_order_id=f"before-{pool}-{user}-{amount}",
                user_reference=user,
                idempotency_key=f"before:{pool}:{user}:{amount}",
                now=self.world.clock.now(),
            )
