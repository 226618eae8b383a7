"""A statement imported and matched, and its operator's balance settled by two people, in Chromium."""

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser
from pytest_django.fixtures import Settings

from ledger.controls import bell, clock
from ledger.controls.clock import DatabaseClock, FixedClock
from ledger.models import Transaction
from tests.console.test_browser import _sign_in, browser, live_url
from tests.orders.desk import Desk, open_desk, reloaded
from tests.orders.wallet import ScriptedWallet
from tests.reconciliation.statements import HEADER, open_bank, operator_source, rules, text

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]

__all__ = ["browser", "live_url"]  # fixtures


@pytest.fixture
def desk(database: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk of yesterday: the console's own clock says that the date is over."""
    settings.RATE_SOURCE = "wallets.fixed_rates.FixedRates"
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())
    wallet = ScriptedWallet()
    monkeypatch.setattr("wallets.remote_operations.adapter", lambda name: wallet)
    yesterday = FixedClock(DatabaseClock().now() - timedelta(days=1))
    with clock.use(yesterday):
        yield open_desk(wallet, yesterday)


def test_a_statement_comes_in_and_is_settled_in_the_browser(
    live_url: str, browser: Browser, desk: Desk, person: Callable[[str, str], User], tmp_path: Path
) -> None:
    open_bank()
    operator_source()
    orders = [desk.order(amount) for amount in ("100.00", "20.00", "20.00")]
    desk.drive(passes=2, pause=timedelta(seconds=1))
    assert all(reloaded(order).state == "processed" for order in orders)
    day = clock.now().date().isoformat()
    shots = Path(os.environ.get("SHOTS", str(tmp_path)))
    good = tmp_path / "acme.csv"
    rows = [
        f"t1,{day},100.00,debit,{orders[0].partner_order_id},,",
        f"t2,{day},20.00,debit,,,W-77",
        f"t3,{day},20.01,debit,{orders[2].partner_order_id},,",
    ]
    good.write_bytes(text(HEADER, rows))
    wrong = tmp_path / "wrong.csv"
    wrong.write_bytes(text(HEADER, [rows[0], f"t9,{day},ten,debit,,,"]))
    people = person("fay", "finance"), person("lee", "finance lead")

    finance = _sign_in(browser, live_url, people[0])
    finance.set_viewport_size({"width": 1500, "height": 1000})
    finance.goto(f"{live_url}/console/statements/")
    finance.set_input_files("#file", str(wrong))
    finance.click("#receive")
    finance.wait_for_selector("text=nothing is imported")
    finance.screenshot(path=str(shots / "statement-wrong.png"), full_page=True)
    finance.click("#discard")
    finance.goto(f"{live_url}/console/statements/")
    finance.set_input_files("#file", str(good))
    finance.click("#receive")
    finance.wait_for_selector("text=can be imported")
    assert "partner order id" in finance.inner_text("#result")
    finance.screenshot(path=str(shots / "statement-dry-run.png"), full_page=True)
    finance.click("#import")
    finance.wait_for_selector("text=3 new, 0 known")
    finance.screenshot(path=str(shots / "statement-imported.png"), full_page=True)
    finance.click("#lines tr:nth-child(3) a")
    finance.wait_for_selector("#because")
    finance.check("#pick-1")
    finance.fill("#match-reason", "the operator says so on the phone")
    finance.screenshot(path=str(shots / "statement-line.png"), full_page=True)
    finance.click("#match")
    finance.wait_for_selector("#unmatch")
    assert rules()["t1"] == "partner_order_id"
    assert rules()["t2"] == "by_hand"
    finance.goto(f"{live_url}/console/statements/")
    finance.screenshot(path=str(shots / "statements.png"), full_page=True)
    finance.goto(f"{live_url}/console/statements/sources/test/acme-wallet/")
    finance.screenshot(path=str(shots / "statement-source.png"), full_page=True)

    finance.goto(f"{live_url}/console/operator-statements/?date={day}")
    finance.screenshot(path=str(shots / "operators.png"), full_page=True)
    finance.click("text=Acme")
    finance.fill("#propose-reason-EUR", "daily settlement")
    finance.click("#propose-EUR")
    finance.wait_for_selector("text=a second person has to approve it")
    finance.screenshot(path=str(shots / "operator-proposed.png"), full_page=True)

    lead = _sign_in(browser, live_url, people[1])
    lead.set_viewport_size({"width": 1500, "height": 1000})
    lead.goto(f"{live_url}/console/operator-statements/test/acme/{day}/")
    lead.fill("#approve-reason", "agreed")
    lead.click("#approve")
    lead.wait_for_selector("text=Approved and posted")
    lead.screenshot(path=str(shots / "operator-settled.png"), full_page=True)
    lead.emulate_media(media="print")
    lead.screenshot(path=str(shots / "operator-printed.png"), full_page=True)
    assert Transaction.objects.get(event_type="OPERATOR_SETTLEMENT").key == f"settlement:acme:{day}:EUR"
