"""Payouts in the console: in flight by age, dead letters, the page with its machine lit, review by two people, freezes."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser
from pytest_django.fixtures import Settings

from ledger.controls import bell, clock
from ledger.controls.clock import DatabaseClock, FixedClock
from orders.models import Freeze, Intent, Payout, Return, ReviewCase
from tests.console.test_browser import _sign_in, browser, live_url
from tests.orders.bank import ScriptedBank
from tests.orders.payouts import PayoutDesk, open_case, open_payout_desk, payout_of, reloaded
from tests.orders.wallet import lost_after, lost_before, server_error
from wallets.models import Gateway

__all__ = ["browser", "live_url"]

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]
_FUNDS = 1_000_000


@pytest.fixture
def payouts(database: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[PayoutDesk]:
    """A payer's desk on a clock of its own, for what happens before people look."""
    settings.SAGA_THREADS = 1
    bell.install(bell.SilentBell())
    bank = ScriptedBank()
    monkeypatch.setattr("wallets.remote_operations.adapter", lambda name: bank)
    monkeypatch.setattr("wallets.recipient_queries.channel_adapter", lambda name: bank)
    fixed = FixedClock(DatabaseClock().now())
    with clock.use(fixed):
        yield open_payout_desk(bank, fixed, not_found_horizon_ms=1_000)


def dead_letter(payouts: PayoutDesk, *answers: object) -> Intent:
    Gateway.objects.update(requery_cap=2)
    payouts.bank.script = list(answers) or [lost_after, server_error, server_error, None]  # type: ignore[arg-type]
    intent = payouts.pay("1000.00", partner_reference="w-1")
    payouts.drive(passes=8)
    assert reloaded(intent).state == "manual_review"
    return reloaded(intent)


def test_home_and_queues_show_what_is_in_flight_and_what_is_dead(signed_in: SignIn, payouts: PayoutDesk) -> None:
    stopped = dead_letter(payouts)
    payouts.bank.script = [None]
    done = payouts.pay("20.00")
    payouts.drive(passes=2)
    flying = payouts.pay("30.00")
    client = signed_in("olga", "ops")
    home = client.get(reverse("admin:index")).content.decode()
    assert "Payouts in flight" in home
    assert "Payout dead letters" in home
    shown = {
        query: {
            one.intent_reference
            for one in Payout.objects.all()
            if one.reference in client.get(f"/console/orders/payout/?in_flight={query}").content.decode()
        }
        for query in ("yes", "dead", "no")
    }
    assert shown == {
        "yes": {stopped.reference, flying.reference},
        "dead": {stopped.reference},
        "no": {done.reference},
    }


def test_payouts_in_flight_are_queued_by_age_the_oldest_first(signed_in: SignIn, payouts: PayoutDesk) -> None:
    """Born in one order, moved last in another, and dead letters among them: it is the age that counts."""
    Gateway.objects.update(requery_cap=2)
    payouts.bank.script = [lost_after, server_error]
    made = []
    for amount in ("1.00", "2.00", "3.00", "4.00"):
        made.append(payout_of(payouts.pay(amount)).reference)
        payouts.later(minutes=7)
        if amount == "2.00":
            payouts.drive(passes=8)
    assert Payout.objects.filter(state="manual_review").count() == 2
    client = signed_in("olga", "ops")

    def listed(query: str) -> list[str]:
        page = client.get(f"/console/orders/payout/?{query}").content.decode()
        return sorted((one for one in made if one in page), key=page.index)

    assert listed("in_flight=yes") == made
    assert listed("in_flight=dead") == made[:2]


def test_page_draws_the_machine_with_its_state_lit_and_the_path_walked(signed_in: SignIn, payouts: PayoutDesk) -> None:
    intent = dead_letter(payouts)
    body = signed_in("olga", "ops").get(f"/console/intents/{intent.reference}/").content.decode()
    assert 'data-machine="payout"' in body
    assert "Payout: manual_review" in body
    assert "Walked: reserved → submitting → waiting → requerying" in body
    assert payout_of(intent).reference in body
    assert open_case(intent).reference in body


def test_the_review_page_shows_both_books_and_says_why_not(signed_in: SignIn, payouts: PayoutDesk) -> None:
    intent = dead_letter(payouts)
    body = signed_in("olga", "ops").get(f"/console/review/{open_case(intent).reference}/").content.decode()
    assert "No lookup shows the payment. Look it up first." in body
    assert f"{payout_of(intent).reference}:submit:v1" in body
    assert "PAYOUT_RESERVE" in body
    assert "w-1" in body
    assert "Somchai J." in body


@pytest.mark.parametrize(("name", "role", "allowed"), [("olga", "ops", True), ("sue", "support", False)])
def test_who_may_propose(name: str, role: str, allowed: bool, signed_in: SignIn, payouts: PayoutDesk) -> None:
    intent = dead_letter(payouts, lost_before, None)
    case = open_case(intent)
    client = signed_in(name, role)
    data = {"version": str(case.version), "resolution": "release_payout", "reason": "absent"}
    client.post(f"/console/review/{case.reference}/propose/", data)
    assert (ReviewCase.objects.get(pk=case.pk).state == "proposed") is allowed
    assert payouts.money() == (_FUNDS, 100_000), "a second person has to approve it"


def test_a_payout_is_frozen_and_goes_on_from_its_page(signed_in: SignIn, payouts: PayoutDesk) -> None:
    intent = payouts.pay("1000.00")
    client = signed_in("lena", "ops lead")
    page = f"/console/intents/{intent.reference}/"
    assert "Freeze the payout" in client.get(page).content.decode()
    client.post(f"/console/order/{intent.reference}/freeze/", {"reason": "suspicion"})
    payouts.drive(passes=2)
    assert (Freeze.objects.get().subject, payouts.bank.calls) == (intent.reference, [])
    assert "Frozen by user:lena: suspicion" in client.get(page).content.decode()
    client.post(f"/console/order/{intent.reference}/lift/")
    payouts.drive(passes=2)
    assert reloaded(intent).state == "settled"


def test_freezing_an_intent_says_what_happened_and_is_listed(signed_in: SignIn, payouts: PayoutDesk) -> None:
    intent = payouts.pay("1000.00")
    client = signed_in("lena", "ops lead")
    page = reverse("admin:intent-page", args=[intent.reference])
    assert 'id="open-freeze"' in client.get(page).content.decode()
    freeze, lift = (reverse("admin:order-freeze", args=[intent.reference, name]) for name in ("freeze", "lift"))
    for reason in ("", "   ", "x" * 201):
        client.post(freeze, {"reason": reason})
    assert not Freeze.objects.exists(), "a freeze needs a reason"
    assert client.post(freeze, {"reason": "suspicion"})["Location"] == page
    assert "This is frozen already." in client.post(freeze, {"reason": "again"}, follow=True).content.decode()
    listed = client.get(reverse("admin:orders_freeze_changelist"), {"q": intent.reference}).content.decode()
    assert "suspicion" in listed
    assert 'id="open-lift"' in client.get(page).content.decode()
    assert client.post(lift)["Location"] == page
    assert "This is not frozen." in client.post(lift, follow=True).content.decode()
    assert (Freeze.objects.get().frozen_by, Freeze.objects.get().lifted_by) == ("user:lena", "user:lena")


@pytest.mark.parametrize("role", ["support", "ops", "finance lead", "auditor"])
def test_only_a_lead_freezes_an_intent(role: str, signed_in: SignIn, payouts: PayoutDesk) -> None:
    intent = payouts.pay("1000.00")
    client = signed_in("sam", role)
    assert b'id="open-freeze"' not in client.get(reverse("admin:intent-page", args=[intent.reference])).content
    client.post(reverse("admin:order-freeze", args=[intent.reference, "freeze"]), {"reason": "odd"})
    assert not Freeze.objects.exists()


def test_the_page_of_a_returns_case_opens(signed_in: SignIn, payouts: PayoutDesk) -> None:
    from tests.orders.test_payout_reviews import late

    found = late(payouts)
    case = ReviewCase.objects.exclude(state="resolved").get(subject=found.reference)
    body = signed_in("olga", "ops").get(f"/console/review/{case.reference}/").content.decode()
    assert "It is so: adjust the books" in body
    assert "A mistake: dismiss" in body
    assert "Give it back" not in body, "a payout's return is booked against the wallet: adjusted is its end"
    assert Return.objects.count() == 1


@pytest.mark.browser
@pytest.mark.parametrize(
    ("resolution", "answers", "shows", "ends_in"),
    [
        ("settle_payout", [lost_after, server_error, server_error, None], "bank:promptpay", "settled"),
        ("release_payout", [lost_before, None], "The payout's hold ends with it.", "failed"),
    ],
)
def test_two_people_decide_about_a_payout_in_the_browser(
    resolution: str,
    answers: list[object],
    shows: str,
    ends_in: str,
    live_url: str,
    browser: Browser,
    payouts: PayoutDesk,
    person: Callable[[str, str], User],
) -> None:
    intent = dead_letter(payouts, *answers)
    case = open_case(intent)
    people = person("olga", "ops"), person("lena", "ops lead")

    ops = _sign_in(browser, live_url, people[0])
    ops.goto(f"{live_url}/console/review/{case.reference}/")
    ops.click("#look-up")
    ops.wait_for_selector("text=The lookup says:")
    ops.click(f"#open-{resolution}")
    assert shows in ops.inner_text(f"#dialog-{resolution}")
    ops.fill(f"#reason-{resolution}", "as the lookup shows")
    ops.click(f"#do-{resolution}")
    ops.wait_for_selector("text=a second person has to approve it")
    assert payouts.money() == (_FUNDS, 100_000)

    lead = _sign_in(browser, live_url, people[1])
    lead.goto(f"{live_url}/console/review/{case.reference}/")
    lead.fill("#approve-reason", "agreed")
    lead.click("#approve")
    lead.wait_for_selector("text=Approved and carried out")
    payouts.drive(passes=2)
    assert reloaded(intent).state == ends_in
    assert payouts.money() == (_FUNDS - 100_000 if ends_in == "settled" else _FUNDS, 0)
    lead.goto(f"{live_url}/console/intents/{intent.reference}/")
    assert "complete" in lead.inner_text("[data-machine=payout] h2").lower()
