"""A template changed by two people in Chromium: checked, previewed on real balances, proposed, activated."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser

from ledger.models import PostingTemplate
from tests.console.test_browser import _sign_in, browser, live_url
from tests.ledger.chart.finance import baseline, codes, collection, open_accounts

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]

__all__ = ["browser", "live_url"]  # fixtures

_NAME = "PAYIN_CHARGEBACK"
_SPLIT = baseline(_NAME).replace("destination = $revenue", "destination = { 1/2 to $revenue remaining to $revenue }")


def test_two_people_change_a_template_in_the_browser(
    live_url: str, browser: Browser, person: Callable[[str, str], User], tmp_path: Path
) -> None:
    open_accounts()
    codes(collection("funds", 6000))
    shots = Path(os.environ.get("SHOTS", str(tmp_path)))
    people = person("fina", "finance"), person("lee", "finance lead")

    finance = _sign_in(browser, live_url, people[0])
    finance.set_viewport_size({"width": 1400, "height": 1000})
    finance.goto(f"{live_url}/console/chart/?environment=test")
    finance.screenshot(path=str(shots / "event-types.png"))
    finance.click(f"text={_NAME}")
    finance.fill("#source", _SPLIT.replace("send $vat", "sned $vat"))
    finance.click("#check")
    finance.wait_for_selector("#refused")
    finance.screenshot(path=str(shots / "refused.png"))
    finance.fill("#source", _SPLIT)
    finance.fill("#amount-amount", "100.00")
    finance.fill("#account-wallet", "merchants:m1:available")
    finance.fill("#account-receivable", "merchants:m1:receivable")
    finance.fill("#account-bank", "bank:main")
    finance.click("#do-preview")
    finance.wait_for_selector("#preview")
    shown = finance.inner_text("#preview")
    assert "60.00 EUR" in shown
    assert "40.00 EUR" in shown
    finance.screenshot(path=str(shots / "preview.png"), full_page=True)
    finance.fill("#note", "half and half")
    finance.click("#propose")
    finance.wait_for_selector("text=a second person has to activate it")
    row = PostingTemplate.objects.get(state="proposed")
    assert row.source == _SPLIT

    lead = _sign_in(browser, live_url, people[1])
    lead.set_viewport_size({"width": 1400, "height": 1000})
    lead.goto(f"{live_url}/console/chart/version/{row.reference}/")
    lead.screenshot(path=str(shots / "version.png"), full_page=True)
    lead.fill("#activate-reason", "agreed")
    lead.click("#activate")
    lead.wait_for_selector("text=Active:")
    assert PostingTemplate.objects.get(pk=row.pk).state == "active"

    finance.goto(f"{live_url}/console/chart/test/import/")
    finance.fill(
        "#text",
        "gl_code,name,account_class,normal_side,workflow_view,address,balance_rule\n"
        "5100,Bank fees,expense,debit,costs,costs:{what},none\n"
        "1000,Banks,asset,debit,banks,bank:{bank},none\n"
        "2004x,Funds,liabilty,credit,wallets,merchants:{a},none\n",
    )
    finance.click("#dry-run")
    finance.wait_for_selector("#result")
    assert "nothing is imported" in finance.inner_text("#result")
    finance.screenshot(path=str(shots / "import.png"), full_page=True)
