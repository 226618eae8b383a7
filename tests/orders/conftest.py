from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from ledger.controls import bell, clock
from ledger.controls.clock import FixedClock
from tests.orders.bank import ScriptedBank
from tests.orders.desk import START, Desk, open_desk
from tests.orders.payouts import PayoutDesk, open_payout_desk
from tests.orders.till import Till, open_till
from tests.orders.wallet import ScriptedWallet
from tests.webhooks.published import topics_recorded
from wallets import gateway_adapters


@pytest.fixture
def fixed_clock() -> Iterator[FixedClock]:
    fixed = FixedClock(START)
    with clock.use(fixed):
        yield fixed


@pytest.fixture
def wallet(monkeypatch: pytest.MonkeyPatch) -> ScriptedWallet:
    scripted = ScriptedWallet()
    original = gateway_adapters.adapter

    def found(name: str) -> object:
        return scripted if name == "scripted" else original(name)

    monkeypatch.setattr("wallets.remote_operations.adapter", found)
    monkeypatch.setattr("wallets.first_asks.adapter", found)
    return scripted


@pytest.fixture
def desk(database: None, wallet: ScriptedWallet, fixed_clock: FixedClock, settings: Settings) -> Desk:
    settings.RATE_SOURCE = "wallets.fixed_rates.FixedRates"
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())
    return open_desk(wallet, fixed_clock)


@pytest.fixture(autouse=True)
def _announced_as_published(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test of orders has recorded for the outside is as its published schema says."""
    if "database" in request.fixturenames:
        request.getfixturevalue("database")  # this one ends before the rows are flushed
    yield
    if "database" in request.fixturenames:
        for _ in topics_recorded():
            pass


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch) -> ScriptedBank:
    scripted = ScriptedBank()
    original = gateway_adapters.adapter

    def found(name: str) -> object:
        return scripted if name == "scripted_bank" else original(name)

    monkeypatch.setattr("wallets.remote_operations.adapter", found)
    monkeypatch.setattr("wallets.recipient_queries.channel_adapter", found)
    return scripted


@pytest.fixture
def payouts(database: None, bank: ScriptedBank, fixed_clock: FixedClock, settings: Settings) -> PayoutDesk:
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())
    return open_payout_desk(bank, fixed_clock)


@pytest.fixture
def till(database: None, fixed_clock: FixedClock, settings: Settings) -> Till:
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())
    return open_till(fixed_clock)
