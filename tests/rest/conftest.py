"""Two operators with keys, wallets and the sandbox's pools, on the database's own clock."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pytest_django.fixtures import Settings

from ledger.controls import bell, clock
from ledger.controls.rest.throttling import buckets
from ledger.environments import Environment
from orders import sandbox_pools
from tests.orders.bank import ScriptedBank
from tests.orders.conftest import _announced_as_published
from tests.orders.wallet import ScriptedWallet
from tests.rest.calls import Api
from wallets import gateway_adapters, operators
from wallets.models import Gateway, Operator

__all__ = ["_announced_as_published"]

EVERY_SCOPE = [str(scope) for scope in operators.OPERATOR_SCOPES]


@dataclass(frozen=True, slots=True)
class Shop:
    """An operator with one key of every scope in the test environment."""

    operator: Operator
    api: Api

    def key(self, *, environment: str = "test", scopes: list[str] | None = None) -> Api:
        """Return the calls of another key."""
        issued = operators.issue_key(
            operator=self.operator,
            environment=environment,
            label="another",
            scopes=EVERY_SCOPE if scopes is None else scopes,
            created_by="test",
            now=clock.now(),
        )
        return Api(issued.secret)


@pytest.fixture
def wallet(monkeypatch: pytest.MonkeyPatch) -> ScriptedWallet:
    scripted = ScriptedWallet()
    bank = ScriptedBank()
    original = gateway_adapters.adapter

    def found(name: str) -> object:
        return {"scripted": scripted, "scripted_bank": bank}.get(name) or original(name)

    monkeypatch.setattr("wallets.remote_operations.adapter", found)
    monkeypatch.setattr("wallets.recipient_queries.channel_adapter", found)
    return scripted


def by_hand(settings: Settings) -> None:
    """Rates are fixed and nothing goes on by itself."""
    settings.RATE_SOURCE = "wallets.fixed_rates.FixedRates"
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())


@pytest.fixture
def pools(database: None, settings: Settings) -> None:
    by_hand(settings)
    sandbox_pools.load(now=clock.now())


@pytest.fixture
def shop(pools: None, wallet: ScriptedWallet) -> Shop:
    return open_shop("acme")


@pytest.fixture
def rival(pools: None, wallet: ScriptedWallet) -> Shop:
    return open_shop("rival")


@pytest.fixture(autouse=True)
def _full_buckets() -> Iterator[None]:
    buckets.clear()
    yield
    buckets.clear()


def open_shop(slug: str) -> Shop:
    now = clock.now()
    operator = operators.create_operator(name=slug.title(), slug=slug, kind=Operator.Kind.OPERATOR, now=now)
    for environment in Environment.values:
        operators.open_operator_accounts(operator=operator, environment=environment, wallet_asset="EUR")
        Gateway.objects.create(
            operator=operator,
            environment=environment,
            adapter="scripted",
            base_url=f"http://{slug}-wallet.invalid",
            secret="whsec_c2VjcmV0",
            wallet_asset="EUR",
        )
    issued = operators.issue_key(
        operator=operator, environment="test", label="all", scopes=EVERY_SCOPE, created_by="test", now=now
    )
    return Shop(operator, Api(issued.secret))


def open_house(*, environment: str = "test") -> Api:
    """Return the calls of a house key with every scope."""
    now = clock.now()
    owner = Operator.objects.filter(kind=Operator.Kind.HOUSE).first() or operators.create_operator(
        name="House", slug="house", kind=Operator.Kind.HOUSE, now=now
    )
    scopes = [str(scope) for scope in operators.Scope]
    issued = operators.issue_key(
        operator=owner, environment=environment, label="house", scopes=scopes, created_by="test", now=now
    )
    return Api(issued.secret)
