"""An order's whole way through the write door leaves no drift: its accounts and postings are what the chart says."""

from collections.abc import Iterator

import pytest
from pytest_django.fixtures import Settings

from ledger import verify
from ledger.chart import stored
from ledger.controls import bell, clock
from ledger.controls.clock import DatabaseClock, FixedClock
from ledger.models import Transaction
from tests.orders.desk import Desk, open_desk, reloaded
from tests.orders.wallet import ScriptedWallet

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def desk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    settings.RATE_SOURCE = "wallets.fixed_rates.FixedRates"
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())
    wallet = ScriptedWallet()
    monkeypatch.setattr("wallets.remote_operations.adapter", lambda name: wallet)
    fixed = FixedClock(DatabaseClock().now())
    with clock.use(fixed):
        yield open_desk(wallet, fixed, not_found_horizon_ms=1_000)


def test_a_processed_order_leaves_no_drift_and_names_its_templates(desk: Desk) -> None:
    order = desk.order()
    desk.drive(passes=4)
    assert reloaded(order).state == "processed"
    assert [(v.check.name, v.findings) for v in verify.verify() if v.breaks] == []
    assert stored.find("test") == []
    posted = Transaction.objects.exclude(event_type="POOL_FUNDING").order_by("recorded_at", "id")
    assert {row.event_type for row in posted} == {"TRADE_RESERVE", "ORDER_DEBIT_CONFIRMED", "TRADE_SETTLE"}
    assert all(row.template_version is not None for row in posted)
