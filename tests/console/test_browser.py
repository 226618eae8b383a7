"""A manual review, resolved by two people in Chromium against a live server."""

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from django.contrib.auth.models import User
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.wsgi import get_wsgi_application
from django_otp.oath import totp
from django_otp.plugins.otp_totp.models import TOTPDevice
from playwright.sync_api import Browser, Page, sync_playwright
from pytest_django.fixtures import Settings

from ledger.models import Posting
from orders.models import ReviewCase
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.wallet import lost_after

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.usefixtures("database"),
]

_FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def live_url(database: None, settings: Settings) -> Iterator[str]:
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # playwright's loop runs in the test's thread
    server = make_server("127.0.0.1", 0, StaticFilesHandler(get_wsgi_application()), handler_class=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.fail("Chromium is not installed") if os.environ.get("REQUIRE_BROWSER") else pytest.skip("no Chromium")
    flags = [*_FLAGS, "--no-sandbox"] if os.geteuid() == 0 else _FLAGS
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


def _sign_in(browser: Browser, url: str, user: User) -> Page:
    device = TOTPDevice.objects.get(user=user)
    page = browser.new_context().new_page()
    page.goto(f"{url}/console/")
    page.fill("input[name=username]", user.username)
    page.fill("input[name=password]", "a long password")
    page.fill("input[name=otp_token]", f"{totp(device.bin_key):06d}")
    page.click("#login-form button[type=submit]")
    page.wait_for_url(f"{url}/console/")
    return page


def test_two_people_resolve_a_manual_review_in_the_browser(
    live_url: str, browser: Browser, desk: Desk, person: Callable[[str, str], User], tmp_path: Path
) -> None:
    desk.wallet.script = [lost_after, lost_after]
    order = desk.order("300.00")
    desk.drive(passes=12)
    case = open_case(order)
    desk.wallet.script = [None]
    people = person("olga", "ops"), person("lena", "ops lead")

    ops = _sign_in(browser, live_url, people[0])
    ops.goto(f"{live_url}/console/orders/reviewcase/")
    ops.click(f"text={case.reference}")
    ops.set_viewport_size({"width": 1280, "height": 900})
    cards = ".hf-card:has(h2:text-matches('^(Our|Their) book'))"
    cut = ops.eval_on_selector_all(cards, "cards => cards.map(card => card.scrollWidth - card.clientWidth)")
    assert cut == [0, 0], "no amount is cut off on a laptop's screen"
    ops.click("#look-up")
    ops.wait_for_selector("text=The lookup says: confirmed")
    assert ops.is_disabled("#open-debit_absent")
    ops.click("#open-debit_proven")
    assert "operators:acme:due" in ops.inner_text("#dialog-debit_proven")
    ops.fill("#reason-debit_proven", "the lookup shows it")
    ops.click("#do-debit_proven")
    ops.wait_for_selector("text=a second person has to approve it")

    lead = _sign_in(browser, live_url, people[1])
    lead.goto(f"{live_url}/console/review/{case.reference}/")
    lead.fill("#approve-reason", "agreed")
    lead.click("#approve")
    lead.wait_for_selector("text=Approved and carried out")
    lead.screenshot(path=str(tmp_path / "resolved.png"))

    assert ReviewCase.objects.get(pk=case.pk).state == "resolved"
    assert reloaded(order).state == "operator_debited"
    desk.drive(passes=3)
    assert reloaded(order).state == "processed"
    assert [kind for kind, _ in desk.wallet.calls].count("ask") == 1
    debited = Posting.objects.filter(transaction__event_type="ORDER_DEBIT_CONFIRMED")
    assert [int(row.amount_minor) for row in debited] == [30_000]
