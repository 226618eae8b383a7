"""A whole close in Chromium against a live server: from an exception to two signatures, by two people."""

import csv
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser
from pytest_django.fixtures import Settings

from ledger import periods
from ledger.controls import bell, clock, drains
from ledger.controls.clock import DatabaseClock, FixedClock
from reconciliation import close_runs
from reconciliation.models import CloseRun, CloseSignature, ExceptionCase
from tests.console.test_browser import _sign_in, browser, live_url
from tests.orders.desk import Desk, open_desk, reloaded
from tests.orders.wallet import ScriptedWallet

__all__ = ["browser", "live_url"]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]

_NAME_QUOTE = "UPDATE orders_order SET quote_reference = %s WHERE reference = %s"


@pytest.fixture
def yesterday(database: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk at this time yesterday: people look at its day today."""
    settings.RATE_SOURCE = "wallets.fixed_rates.FixedRates"
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())
    wallet = ScriptedWallet()
    monkeypatch.setattr("wallets.remote_operations.adapter", lambda name: wallet)
    fixed = FixedClock(DatabaseClock().now() - timedelta(days=1))
    with clock.use(fixed):
        yield open_desk(wallet, fixed)


def test_two_people_close_a_day_in_the_browser(
    live_url: str,
    browser: Browser,
    yesterday: Desk,
    person: Callable[[str, str], User],
    settings: Settings,
    tmp_path: Path,
    superuser_connection: psycopg.Connection,
) -> None:
    settings.ARTIFACTS_ROOT = tmp_path / "closes"
    settings.CLOSE_GRACE = 0
    shots = Path(os.environ.get("CLOSE_SCREENSHOTS", str(tmp_path)))
    desk = yesterday
    order, broken, mended = desk.order(), desk.order(), desk.order()
    desk.drive(passes=2, pause=timedelta(seconds=1))
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("DELETE FROM orders_quote WHERE reference = %s", [broken.quote_reference])
    superuser_connection.execute(_NAME_QUOTE, ["quo_nowhere", mended.reference])
    day = clock.now().date()
    desk.clock.move_to(clock.now() + timedelta(days=1))
    close = close_runs.run(close=close_runs.ensure(environment="test", business_date=day)).close
    case = ExceptionCase.objects.get(order_reference=broken.reference)
    heals = ExceptionCase.objects.get(order_reference=mended.reference)
    people = person("fiona", "finance"), person("frank", "finance lead")

    finance = _sign_in(browser, live_url, people[0])
    finance.set_viewport_size({"width": 1440, "height": 1100})
    finance.goto(f"{live_url}/console/closes/?environment=test&month={day:%Y-%m}")
    finance.screenshot(path=str(shots / "close-calendar.png"))
    finance.click(f"a[href$='/closes/{close.reference}/']")
    finance.wait_for_selector("#checklist")
    assert finance.is_disabled("#open-submit")
    finance.screenshot(path=str(shots / "close-blocked.png"), full_page=True)
    finance.click(f"#checklist a:has-text('{case.reference}')")
    finance.wait_for_selector("#records")
    finance.fill("#next-review", (clock.now() + timedelta(days=3)).date().isoformat())
    finance.click("#assign")
    finance.wait_for_selector("text=fiona owns it")
    finance.fill("#propose-reason", "the partner confirmed the terms in writing")
    finance.click("#propose")
    finance.wait_for_selector("text=Proposed: accept it as it is")
    finance.screenshot(path=str(shots / "exception.png"), full_page=True)

    lead = _sign_in(browser, live_url, people[1])
    lead.set_viewport_size({"width": 1440, "height": 1100})
    lead.goto(f"{live_url}/console/exceptions/{case.reference}/")
    lead.fill("#approve-reason", "seen the letter")
    lead.click("#approve")
    lead.wait_for_selector("text=Run the close again")

    superuser_connection.execute(_NAME_QUOTE, [mended.quote_reference, mended.reference])
    finance.goto(f"{live_url}/console/closes/{close.reference}/")
    assert finance.is_disabled("#open-submit")
    assert finance.is_visible(f"#checklist a:has-text('{heals.reference}')")
    finance.click("#run")
    finance.wait_for_selector("#progress:not([hidden])")
    desk.clock.move_to(DatabaseClock().now())
    assert drains.drain("closes") == 1  # the worker; the page notices and shows what it came to
    finance.wait_for_selector("#progress[hidden]", state="attached", timeout=15_000)
    assert not finance.is_visible(f"#checklist a:has-text('{heals.reference}')")
    healed = finance.context.new_page()
    healed.goto(f"{live_url}/console/exceptions/{heals.reference}/")
    healed.wait_for_selector("text=Healed: the close of")
    healed.close()
    finance.click("#open-submit")
    finance.fill("#reason-submit", "all joined")
    finance.click("#do-submit")
    finance.wait_for_selector("text=Signed as preparer")

    lead.goto(f"{live_url}/console/closes/{close.reference}/")
    assert lead.is_disabled("#open-sign")
    desk.clock.move_to(DatabaseClock().now())
    drains.drain("closes")  # the worker proves the files; the page notices
    lead.wait_for_selector("#open-sign:not([disabled])", timeout=15_000)
    lead.click("#open-sign")
    lead.fill("#reason-sign", "agreed")
    lead.click("#do-sign")
    lead.wait_for_selector("text=Signed, and the date is locked.")
    lead.screenshot(path=str(shots / "close-locked.png"), full_page=True)
    with lead.expect_download() as waiting:
        lead.click("#zip")
    assert waiting.value.suggested_filename == f"close-test-{day}.zip"
    with zipfile.ZipFile(waiting.value.path()) as package:
        signed = json.loads(package.read("manifest.json"))
        for file in signed["files"]:
            assert hashlib.sha256(package.read(file["name"])).hexdigest() == file["sha256"]
        told = csv.DictReader(io.StringIO(package.read("exceptions.csv").decode()))
        assert {row["exception_id"]: row["state"] for row in told} == {
            case.reference: "approved",
            heals.reference: "resolved",
        }

    assert CloseRun.objects.get(pk=close.pk).state == "locked"
    assert periods.is_locked("test", day)
    assert list(CloseSignature.objects.order_by("id").values_list("person", flat=True)) == ["user:fiona", "user:frank"]
    desk.clock.move_to(DatabaseClock().now())
    drains.drain("closes")
    assert reloaded(order).reconciliation_state == "closed"
