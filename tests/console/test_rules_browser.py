"""A fee rule changed by two people in Chromium, tried on real payments first; and a wallet frozen from its page."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser

from ledger.controls import clock
from orders.models import WalletEntry
from tests.console.test_browser import _sign_in, browser, live_url
from tests.console.test_rules import _transfer
from tests.wallets.people import fund, wallet
from tests.wallets.rules import fee, in_force, limit
from wallets.models import FeeRule, WalletFreeze
from wallets.rule_terms import Tier

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]

__all__ = ["browser", "live_url"]  # fixtures


def test_two_people_change_a_fee_in_the_browser(
    live_url: str, browser: Browser, person: Callable[[str, str], User], tmp_path: Path
) -> None:
    shots = Path(os.environ.get("SHOTS", str(tmp_path)))
    people = person("fina", "finance"), person("lee", "finance lead")
    payer = wallet(assets=["THB"], kind="merchant")
    tiers = (Tier(100_000, 500, 0), Tier(None, 0, 25))
    in_force(
        fee("transfer_fee", asset="THB", phase="PRE", fixed_minor=500, vat_basis_points=700), code="transfer-fee-thb"
    )
    in_force(fee("payout_fee", "payout", asset="THB", phase="PRE", tiers=tiers), code="payout-fee-thb")
    in_force(limit("daily", asset="THB", cap_minor=5_000_000), code="daily-thb")
    for minor in (100_000, 20_000, 1_000_000, 350_050):
        _transfer(minor, payer=payer, charged=535)

    finance = _sign_in(browser, live_url, people[0])
    finance.set_viewport_size({"width": 1500, "height": 1000})
    finance.goto(f"{live_url}/console/rules/?environment=test")
    finance.screenshot(path=str(shots / "rules.png"), full_page=True)
    finance.click("text=transfer-fee-thb")
    finance.click("text=Draft a version after it")
    finance.fill("#fixed", "")
    finance.fill("#basis_points", "many")
    finance.click("#draft")
    finance.wait_for_selector("text=A whole number is needed.")
    finance.fill("#basis_points", "50")
    finance.fill("#maximum", "20.00")
    finance.fill("#condition", "payer_kind == 'merchant'")
    finance.fill("#note", "a share instead of five baht")
    finance.click("#draft")
    finance.wait_for_selector("text=is a draft: try it, then propose it")
    finance.click("#try")
    finance.wait_for_selector("#trial")
    assert finance.inner_text("#difference") == "+25.15 THB", "5.35, 1.07, 21.40 and 18.73 for 5.35 each"
    assert finance.is_disabled("#open-approve")
    finance.screenshot(path=str(shots / "rule-editor.png"), full_page=True)
    finance.click("#open-propose")
    finance.fill("#reason-propose", "agreed with sales")
    finance.click("#do-propose")
    finance.wait_for_selector("text=You proposed this: somebody else has to approve it.")
    assert finance.is_disabled("#open-approve")

    rule = FeeRule.objects.get(state="proposed")
    lead = _sign_in(browser, live_url, people[1])
    lead.set_viewport_size({"width": 1500, "height": 1000})
    lead.goto(f"{live_url}/console/rules/{rule.reference}/")
    lead.click("#open-approve")
    lead.fill("#reason-approve", "seen the dry run")
    lead.click("#do-approve")
    lead.wait_for_selector("text=is active, at once")
    lead.screenshot(path=str(shots / "rule-active.png"), full_page=True)
    assert FeeRule.objects.get(pk=rule.pk).state == "active"


def test_a_wallet_is_frozen_in_the_browser(
    live_url: str, browser: Browser, person: Callable[[str, str], User], tmp_path: Path
) -> None:
    shots = Path(os.environ.get("SHOTS", str(tmp_path)))
    found = wallet(assets=["EUR", "THB", "USDT"])
    fund(found, 12_345)
    fund(found, 700, key="again")
    WalletEntry.objects.create(
        wallet=found.reference, environment="test", operator_id=found.operator_id, subject="int_1", kind="payin",
        asset="EUR", amount_minor=12_345, posted_minor=12_345, held_minor=0, recorded_at=clock.now(),
    )  # fmt: skip
    lead = _sign_in(browser, live_url, person("lena", "ops lead"))
    lead.set_viewport_size({"width": 1500, "height": 1000})
    lead.goto(f"{live_url}/console/wallets/wallet/")
    lead.click(f"text={found.reference}")
    lead.wait_for_selector("#balances")
    assert "130.45 EUR" in lead.inner_text("#balances")
    assert lead.is_disabled("#open-lift-wallet-freeze")
    lead.click("#open-freeze-wallet")
    lead.fill("#freeze-wallet-reason", "a court's order")
    lead.click("#do-freeze-wallet")
    lead.wait_for_selector("text=it pays nothing out, and is still credited.")
    lead.goto(f"{live_url}/console/wallet/{found.reference}/")
    assert lead.inner_text("#status") == "frozen"
    lead.screenshot(path=str(shots / "wallet.png"), full_page=True)
    assert WalletFreeze.objects.get().frozen_by == "user:lena"
