"""A market ended in Chromium: one ops lead proposes, another approves; one resolved and one voided, nobody alone."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import transaction as db_transaction
from playwright.sync_api import Browser, Page

from ledger.controls import clock
from ledger.models import Approval
from ledger.money import Money
from orders.models import Market
from orders.operations.open_market import open_market
from tests.console.test_browser import _sign_in, browser, live_url
from tests.orders.desk import Desk

__all__ = ["browser", "live_url"]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]

ENDS = [("RAIN-2026", "1", "is resolved", "resolved"), ("SNOW-2026", "void", "is voided", "voided")]


def _do(page: Page, url: str, name: str, told: str, *, market: str, **form: str) -> None:
    """Fill a dialog in, send it, and wait until it is told so."""
    page.goto(f"{url}/console/do/{name}/")
    page.select_option("select[name=market]", f"test {market}")
    for field, value in form.items():
        page.fill(f"input[name={field}]", value)
    page.click("form:has([name=market]) button")
    page.wait_for_selector(f"text={told}")


def test_two_leads_resolve_and_void_a_market_in_the_browser(
    live_url: str, browser: Browser, desk: Desk, person: Callable[[str, str], User]
) -> None:
    for code, *_ in ENDS:
        with db_transaction.atomic():
            open_market(
                environment="test",
                code=code,
                question="Will it?",
                funding=Money(100_000, "EUR"),
                minimum_minor=100,
                maximum_minor=50_000,
                actor="user:lena",
                now=clock.now(),
            )
    lena = _sign_in(browser, live_url, person("lena", "ops lead"))
    lou = _sign_in(browser, live_url, person("lou", "ops lead"))
    for code, price, told, state in ENDS:
        _do(lena, live_url, "close-market", "takes no more trades", market=code, reason="the day is over")
        outcome = {"price_yes": price, "evidence": "the weather office"}
        _do(lena, live_url, "propose-outcome", "another ops lead has to approve it", market=code, **outcome)
        same = "Maker and checker must be different people."
        _do(lena, live_url, "approve-outcome", same, market=code, reason="mine")
        assert Market.objects.get(code=code).state == "closed"
        _do(lou, live_url, "approve-outcome", told, market=code, reason="checked")
        found = Market.objects.get(code=code)
        assert (found.state, found.evidence) == (state, "the weather office")
        approval = Approval.objects.get(subject=found.reference)
        assert (approval.maker, approval.checker, approval.decision) == ("user:lena", "user:lou", "approved")
