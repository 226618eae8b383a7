"""The desk of reviews: its queue, many cases at once, a case's owner and dates, freezes from both pages, who may what."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from ledger.controls import clock
from orders.models import Freeze, Order, ReviewCase, ReviewNote
from orders.operations import review_case
from reconciliation.console import review_queue
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.wallet import declined, lost_before

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]

QUEUE = "/console/orders/reviewcase/"


def _stopped(desk: Desk, amount: str = "300.00") -> ReviewCase:
    desk.wallet.script = [lost_before]
    order = desk.order(amount)
    desk.drive(passes=12)
    return open_case(order)


def _resolved(desk: Desk, case: ReviewCase) -> None:
    desk.wallet.script = [declined]
    review_case.look_up_now(case_reference=case.reference, actor="user:x", now=clock.now())
    decided = review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="debit_absent",
        reason="rejected there",
        actor="user:x",
        now=clock.now(),
    )
    assert decided.resolved


def _shown(client: Client, query: str = "") -> set[str]:
    body = client.get(QUEUE + query).content.decode()
    return {case.reference for case in ReviewCase.objects.all() if f">{case.reference}<" in body}


def test_the_queue_shows_what_is_open_and_narrows_to_overdue_mine_and_nobodys(signed_in: SignIn, desk: Desk) -> None:
    mine, late, done = _stopped(desk, "20.00"), _stopped(desk, "30.00"), _stopped(desk, "40.00")
    client = signed_in("olga", "ops")
    review_case.assign_case(case_reference=mine.reference, owner="olga", actor="user:olga", now=clock.now())
    ReviewCase.objects.filter(pk=late.pk).update(due_at=clock.now() - timedelta(hours=2))
    _resolved(desk, done)
    assert _shown(client) == {mine.reference, late.reference}
    assert _shown(client, "?queue=overdue") == {late.reference}
    assert _shown(client, "?queue=mine") == {mine.reference}
    assert _shown(client, "?queue=nobody") == {late.reference}
    assert _shown(client, "?queue=all") == {mine.reference, late.reference, done.reference}
    assert _shown(client, f"?q={done.reference}") == {done.reference}
    assert _shown(client, "?state__exact=resolved") == {done.reference}
    assert "overdue 2 hours" in client.get(QUEUE).content.decode()
    home = client.get(reverse("admin:index")).content.decode()
    assert "Overdue reviews" in home


def _bulk(client: Client, action: str, cases: list[ReviewCase], **given: str) -> str:
    data = {"action": action, "_selected_action": [str(case.pk) for case in cases], **given}
    answer = client.post(f"{QUEUE}?queue=all", data)
    assert answer.status_code == 200
    return answer.content.decode()


def test_many_cases_are_assigned_behind_a_dialog_each_with_its_own_result(signed_in: SignIn, desk: Desk) -> None:
    first, second = _stopped(desk, "20.00"), _stopped(desk, "30.00")
    _resolved(desk, second)
    client = signed_in("olga", "ops")
    dialog = _bulk(client, "assign_many", [first, second])
    assert 'name="confirmed" value="yes"' in dialog
    assert ReviewCase.objects.get(pk=first.pk).state == "open", "a dialog does nothing"
    day = (clock.now() + timedelta(days=3)).date().isoformat()
    done = _bulk(client, "assign_many", [first, second], confirmed="yes", owner="olga", next_review_on=day)
    assert "1 of 2 done." in done
    assert f"Assigned to olga, next review {day}." in done
    assert "This case is resolved." in done
    stored = ReviewCase.objects.get(pk=first.pk)
    assert (stored.owner, str(stored.next_review_on)) == ("olga", day)


def test_many_cases_are_looked_up_behind_a_dialog_each_with_its_own_result(signed_in: SignIn, desk: Desk) -> None:
    first, second = _stopped(desk, "20.00"), _stopped(desk, "30.00")
    client = signed_in("olga", "ops")
    before = len(desk.wallet.calls)
    _bulk(client, "look_up_many", [first, second])
    assert len(desk.wallet.calls) == before
    done = _bulk(client, "look_up_many", [first, second], confirmed="yes")
    assert "2 of 2 done." in done
    assert done.count("The lookup says: unknown, ") == 2
    assert len(desk.wallet.calls) == before + 2
    assert ReviewNote.objects.filter(author="user:olga", text__startswith="Looked up").count() == 2


@pytest.mark.parametrize("day", ["yesterday", "2001-01-01", "2026-13-40"])
def test_nothing_is_assigned_when_the_date_is_wrong(signed_in: SignIn, desk: Desk, day: str) -> None:
    case = _stopped(desk)
    client = signed_in("olga", "ops")
    _bulk(client, "assign_many", [case], confirmed="yes", owner="olga", next_review_on=day)
    client.post(reverse("admin:review-act", args=[case.reference, "assign"]), {"next_review_on": day})
    assert ReviewCase.objects.get(pk=case.pk).state == "open"


def test_more_cases_than_the_limit_are_refused(signed_in: SignIn, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review_queue, "MOST", 1)
    cases = [_stopped(desk, "20.00"), _stopped(desk, "30.00")]
    shown = _bulk(signed_in("olga", "ops"), "assign_many", cases)
    assert "At most 1 cases at once" in shown
    assert 'name="confirmed"' not in shown


@pytest.mark.parametrize("role", ["support", "finance", "auditor"])
def test_many_cases_are_not_touched_by_who_may_not_work_reviews(signed_in: SignIn, desk: Desk, role: str) -> None:
    case = _stopped(desk)
    client = signed_in("sam", role)
    asked = len(desk.wallet.calls)
    for action in ("assign_many", "look_up_many"):
        data = {"action": action, "_selected_action": [str(case.pk)], "confirmed": "yes", "owner": "sam"}
        assert client.post(f"{QUEUE}?queue=all", data).status_code in (200, 302, 403)
    assert ReviewCase.objects.get(pk=case.pk).owner == ""
    assert len(desk.wallet.calls) == asked
    assert "look_up_many" not in client.get(QUEUE).content.decode()


def test_nothing_but_the_two_actions_is_offered(signed_in: SignIn, desk: Desk) -> None:
    case = _stopped(desk)
    client = signed_in("root", "ops lead")
    assert b"delete_selected" not in client.get(QUEUE).content
    client.post(QUEUE, {"action": "delete_selected", "_selected_action": [str(case.pk)], "post": "yes"})
    assert ReviewCase.objects.filter(pk=case.pk).exists()


def test_a_case_is_given_to_another_person_with_a_date(signed_in: SignIn, desk: Desk) -> None:
    case = _stopped(desk)
    client = signed_in("olga", "ops")
    signed_in("omar", "ops lead")
    page = client.get(reverse("admin:review-case", args=[case.reference])).content.decode()
    assert "<option>omar</option>" in page
    day = (clock.now() + timedelta(days=2)).date().isoformat()
    url = reverse("admin:review-act", args=[case.reference, "assign"])
    answer = client.post(url, {"owner": "omar", "next_review_on": day}, follow=True).content.decode()
    assert f"Assigned to omar, next review {day}." in answer
    assert f"assigned to omar, next review {day}" in answer, "its history says so"
    client.post(reverse("admin:review-act", args=[case.reference, "note"]), {"text": "called them"})
    shown = client.get(reverse("admin:review-case", args=[case.reference])).content.decode()
    assert "called them" in shown[shown.index('id="history"') :]


@pytest.mark.parametrize("place", ["order", "case"])
def test_an_order_is_frozen_and_lifted_from_its_page_and_from_its_case(
    signed_in: SignIn, desk: Desk, place: str
) -> None:
    case = _stopped(desk)
    order = Order.objects.get(reference=case.subject)
    client = signed_in("lena", "ops lead")
    home = (
        reverse("admin:review-case", args=[case.reference])
        if place == "case"
        else reverse("admin:orders_order_change", args=[order.pk])
    )
    extra = {"case": case.reference} if place == "case" else {}
    assert 'id="open-freeze"' in client.get(home).content.decode()
    freeze, lift = (reverse("admin:order-freeze", args=[order.reference, name]) for name in ("freeze", "lift"))
    answer = client.post(freeze, {"reason": "looks odd", **extra})
    assert (answer.status_code, answer["Location"]) == (302, home)
    frozen = Freeze.objects.get(subject=order.reference)
    assert (frozen.reason, frozen.frozen_by, frozen.lifted_at) == ("looks odd", "user:lena", None)
    shown = client.get(home).content.decode()
    assert "Frozen by user:lena: looks odd" in shown
    again = client.post(freeze, {"reason": "again", **extra}, follow=True).content.decode()
    assert "This is frozen already." in again
    answer = client.post(lift, extra)
    assert (answer.status_code, answer["Location"]) == (302, home)
    assert Freeze.objects.get(pk=frozen.pk).lifted_by == "user:lena"
    assert "This is not frozen." in client.post(lift, extra, follow=True).content.decode()


@pytest.mark.parametrize("role", ["support", "ops", "finance lead", "auditor"])
def test_only_a_lead_freezes_and_lifts(signed_in: SignIn, desk: Desk, role: str) -> None:
    order = reloaded(desk.order("20.00"))
    client = signed_in("sam", role)
    assert b'id="open-freeze"' not in client.get(reverse("admin:orders_order_change", args=[order.pk])).content
    client.post(reverse("admin:order-freeze", args=[order.reference, "freeze"]), {"reason": "odd"})
    assert not Freeze.objects.exists()


@pytest.mark.parametrize("reason", ["", "   ", "x" * 201])
def test_a_freeze_needs_a_reason(signed_in: SignIn, desk: Desk, reason: str) -> None:
    order = reloaded(desk.order("20.00"))
    client = signed_in("lena", "ops lead")
    client.post(reverse("admin:order-freeze", args=[order.reference, "freeze"]), {"reason": reason})
    assert not Freeze.objects.exists()


def test_a_freeze_is_a_post_about_an_order_that_there_is(signed_in: SignIn, desk: Desk) -> None:
    order = reloaded(desk.order("20.00"))
    client = signed_in("lena", "ops lead")
    assert client.get(reverse("admin:order-freeze", args=[order.reference, "freeze"])).status_code == 405
    assert client.post(reverse("admin:order-freeze", args=["ord_none", "freeze"])).status_code == 404
    assert client.post(reverse("admin:order-freeze", args=[order.reference, "melt"])).status_code == 404
    assert client.get(reverse("admin:orders_order_change", args=["99999"])).status_code in (302, 404)
    assert client.get("/console/orders/order/x/change/").status_code in (302, 404)
