"""Other dialogs of the desk in Chromium: many cases at once, freezes, adjustments, inbound events, notices, the sandbox."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from playwright.sync_api import Browser
from pytest_django.fixtures import Settings

from ledger.controls import drains
from ledger.models import Approval, Transaction
from orders.models import Freeze, Order, ReviewCase
from reconciliation import notices
from reconciliation.models import Notice
from tests.console.test_browser import _sign_in, browser, live_url
from tests.console.test_inbox import dead_event
from tests.orders.desk import Desk, open_case
from tests.orders.wallet import lost_before
from tests.webhooks.provider import make_sender
from webhooks.models import InboundEvent

__all__ = ["browser", "live_url"]

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]

People = Callable[[str, str], User]


def _stopped(desk: Desk, *amounts: str) -> list[ReviewCase]:
    desk.wallet.script = [lost_before]
    orders = [desk.order(amount) for amount in amounts]
    desk.drive(passes=12)
    return [open_case(order) for order in orders]


def test_many_cases_are_assigned_and_looked_up_from_the_queue(
    live_url: str, browser: Browser, desk: Desk, person: People, tmp_path: Path
) -> None:
    cases = _stopped(desk, "20.00", "30.00", "40.00")
    page = _sign_in(browser, live_url, person("olga", "ops"))
    queue = f"{live_url}/console/orders/reviewcase/"
    for action, button, told in (
        ("assign_many", "Assign 2", "Assigned to olga, next review"),
        ("look_up_many", "Look up 2", "The lookup says: unknown, "),
    ):
        page.goto(queue)
        for case in cases[:2]:
            page.check(f"input[name=_selected_action][value='{case.pk}']")
        page.select_option("select[name=action]", action)
        page.click("button[title='Run the selected action']")
        page.wait_for_selector("#confirm")
        assert page.inner_text("#confirm") == button
        page.click("#confirm")
        page.wait_for_selector("#told")
        assert page.inner_text("#told") == "2 of 2 done."
        assert page.inner_text("body").count(told) == 2
    assert list(ReviewCase.objects.order_by("pk").values_list("owner", flat=True)) == ["olga", "olga", ""]
    page.goto(f"{queue}?queue=mine")
    assert cases[0].reference in page.inner_text("#result_list")
    assert cases[2].reference not in page.inner_text("#result_list")


def test_a_case_is_assigned_and_its_order_frozen_and_lifted_behind_dialogs(
    live_url: str, browser: Browser, desk: Desk, person: People
) -> None:
    (case,) = _stopped(desk, "20.00")
    person("omar", "ops")
    page = _sign_in(browser, live_url, person("lena", "ops lead"))
    page.goto(f"{live_url}/console/review/{case.reference}/")
    page.click("#open-assign")
    page.select_option("#owner", "omar")
    page.click("#do-assign")
    page.wait_for_selector("text=Assigned to omar, next review")
    page.click("#open-freeze")
    page.fill("#freeze-reason", "their letter contradicts")
    page.click("#do-freeze")
    page.wait_for_selector("text=is frozen: no step and no ask")
    assert page.url.endswith(f"/review/{case.reference}/")
    order = Order.objects.get()
    page.goto(f"{live_url}/console/orders/order/{order.pk}/change/")
    assert "Frozen by user:lena: their letter contradicts" in page.inner_text("#freezes")
    assert page.locator(".hf-states .here").count() == 1
    page.click("#open-lift")
    page.click("#do-lift")
    page.wait_for_selector("text=goes on.")
    assert Freeze.objects.get().lifted_by == "user:lena"


def test_an_adjustment_is_previewed_proposed_and_approved_by_another(
    live_url: str, browser: Browser, desk: Desk, person: People
) -> None:
    maker = _sign_in(browser, live_url, person("lee", "finance lead"))
    maker.goto(f"{live_url}/console/book/adjustments/")
    form = "#form-adjustment"
    maker.select_option(f"{form} select[name=environment]", "test")
    maker.select_option(f"{form} select[name=asset]", "EUR")
    for name, value in (("debit", "operators:acme:due"), ("credit", "revenue:orders"), ("amount", "12.34")):
        maker.fill(f"{form} input[name={name}]", value)
    maker.fill(f"{form} input[name=reason]", "a fee that was agreed")
    maker.click(f"{form} button[value=preview]")
    maker.wait_for_selector("#preview")
    assert "12.34 EUR" in maker.inner_text("#preview")
    assert not Approval.objects.exists()
    maker.click(f"{form} button[value=propose]")
    maker.wait_for_selector("text=a second person has to approve it")
    proposal = Approval.objects.get()
    assert "You proposed this: somebody else has to approve it." in maker.inner_text("body")
    assert maker.query_selector("#approve") is None
    assert not Transaction.objects.filter(event_type="MANUAL_ADJUSTMENT").exists()

    lead = _sign_in(browser, live_url, person("lou", "finance lead"))
    lead.goto(f"{live_url}/console/book/adjustments/{proposal.reference}/")
    lead.fill("#approve-reason", "agreed")
    lead.click("#approve")
    lead.wait_for_selector("text=Approved and posted.")
    assert Transaction.objects.filter(event_type="MANUAL_ADJUSTMENT").count() == 1


def test_a_dead_inbound_event_is_found_read_and_replayed(
    live_url: str, browser: Browser, person: People, settings: Settings
) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1", "testserver"]
    sender = make_sender()
    dead = dead_event(sender)
    page = _sign_in(browser, live_url, person("olga", "ops"))
    page.goto(f"{live_url}/console/webhooks/inboundevent/?state__exact=dead")
    page.click(f"text={dead.reference}")
    page.wait_for_selector("text=replay it")
    assert page.locator(".hf-states .here text").text_content() == "dead"
    page.click("text=replay it")
    page.select_option("select[name=reference]", dead.reference)
    page.click("form button.bg-primary-600")
    page.wait_for_selector("#told")
    assert InboundEvent.objects.get(pk=dead.pk).state == "received"


def test_notices_are_listed_with_what_they_say(live_url: str, browser: Browser, desk: Desk, person: People) -> None:
    (case,) = _stopped(desk, "20.00")
    assert case.due_at is not None
    desk.clock.move_to(case.due_at)
    desk.later(seconds=1)
    assert notices.raise_new() == 2
    drains.drain("notices")
    assert Notice.objects.filter(sent_at__isnull=False).count() == 2
    page = _sign_in(browser, live_url, person("olga", "ops"))
    page.goto(f"{live_url}/console/reconciliation/notice/")
    shown = page.inner_text("#result_list")
    assert "A manual review is overdue" in shown
    assert "Manual review is open" in shown
    assert f"{case.reference}" in shown
