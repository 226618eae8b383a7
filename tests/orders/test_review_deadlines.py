"""Review cases have a deadline by their reason, an owner and a next review date; many are worked at once."""

import threading
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from pytest_django.fixtures import Settings

from ledger import books
from ledger.controls import drains
from ledger.controls.roles import Role
from orders.models import ReviewCase, ReviewNote
from orders.operations import review_case, review_case_batch
from orders.operations.review_case import OwnerMissing, OwnerUnknown
from orders.operations.review_case_batch import TooMany
from orders.reviews import deadlines
from orders.reviews.carrying_out import CaseResolved
from orders.reviews.deadlines import BadReviewDate
from tests.orders.desk import START, Desk, open_case, open_desk
from tests.orders.wallet import ScriptedWallet, declined, lost_before, true_state
from tests.reviewers import reviewer
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Gateway
from wallets.outcomes import Cause, Confirmed, Outcome, Rejected, Unknown

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _people(database: None) -> None:
    for name in ("olga", "omar"):
        reviewer(name)


def _stopped(desk: Desk, amount: str = "300.00") -> ReviewCase:
    desk.wallet.script = [lost_before]
    order = desk.order(amount)
    desk.drive(passes=12)
    return open_case(order)


def _overdue(desk: Desk) -> list[str]:
    found = ReviewCase.objects.filter(deadlines.overdue(now=desk.clock.now())).order_by("pk")
    return list(found.values_list("reference", flat=True))


def test_a_case_is_due_by_the_sla_of_its_reason(desk: Desk, settings: Settings) -> None:
    settings.REVIEW_SLA_HOURS = {"debit_unknown": 4, "*": 24}
    case = _stopped(desk)
    assert case.due_at == case.created_at + timedelta(hours=4)
    assert deadlines.due_at("credit_rejected", now=START) == START + timedelta(hours=24)
    settings.REVIEW_SLA_HOURS = {"debit_unknown": 1, "*": 24}
    assert ReviewCase.objects.get(pk=case.pk).due_at == case.created_at + timedelta(hours=4), "a deadline stays"


def test_a_case_is_overdue_when_its_deadline_is_over(desk: Desk) -> None:
    case = _stopped(desk)
    assert case.due_at is not None
    desk.clock.move_to(case.due_at)
    assert _overdue(desk) == []
    desk.later(seconds=1)
    assert _overdue(desk) == [case.reference]
    assert deadlines.is_overdue(case, now=desk.clock.now(), today=START.date())


def test_a_case_is_overdue_when_nobody_looked_at_it_on_its_day(desk: Desk, settings: Settings) -> None:
    settings.REVIEW_SLA_HOURS = {"*": 8000}
    case = _stopped(desk)
    day = START.date() + timedelta(days=2)
    review_case.assign_case(
        case_reference=case.reference, owner="olga", next_review_on=day, actor="user:olga", now=desk.clock.now()
    )
    desk.later(days=2)
    assert _overdue(desk) == []
    desk.later(days=1)
    assert _overdue(desk) == [case.reference]


def test_the_day_of_a_review_is_that_of_its_books_zone(superuser_connection: psycopg.Connection[Any]) -> None:
    late = START.replace(hour=23)
    assert books.business_date(environment="test", instant=late) == START.date()
    superuser_connection.execute("UPDATE ledger_book SET close_zone = 'Asia/Bangkok' WHERE environment = 'test'")
    try:
        assert books.business_date(environment="test", instant=late) == START.date() + timedelta(days=1)
    finally:
        superuser_connection.execute("UPDATE ledger_book SET close_zone = 'UTC' WHERE environment = 'test'")


def test_an_assignment_without_a_date_is_looked_at_when_it_is_due(desk: Desk, settings: Settings) -> None:
    settings.REVIEW_SLA_HOURS = {"*": 72}
    case = _stopped(desk)
    given = review_case.assign_case(
        case_reference=case.reference, owner=" olga ", actor="user:lena", now=desk.clock.now()
    )
    assert (given.state, given.owner, given.next_review_on) == ("assigned", "olga", START.date() + timedelta(days=3))
    desk.later(days=9)
    again = review_case.assign_case(
        case_reference=case.reference, owner="omar", actor="user:lena", now=desk.clock.now()
    )
    assert (again.owner, again.next_review_on) == ("omar", desk.clock.now().date() + timedelta(days=1))
    stored = ReviewCase.objects.get(pk=case.pk)
    assert (stored.owner, stored.next_review_on, stored.version) == ("omar", again.next_review_on, given.version)
    (note,) = ReviewNote.objects.filter(case_reference=case.reference)
    assert note.text == f"Assigned to omar, next review {again.next_review_on}."


@pytest.mark.parametrize("owner", ["", "   "])
def test_an_assignment_to_nobody_is_refused(desk: Desk, owner: str) -> None:
    case = _stopped(desk)
    with pytest.raises(OwnerMissing):
        review_case.assign_case(case_reference=case.reference, owner=owner, actor="user:x", now=desk.clock.now())
    assert ReviewCase.objects.get(pk=case.pk).state == "open"


@pytest.mark.parametrize("owner", ["nobody", "x" * 200, "sue", "gone", "olga\x00"])
def test_an_assignment_to_who_does_not_work_reviews_is_refused(desk: Desk, owner: str) -> None:
    """sue is of support, and gone has left: neither they nor unknown people are ever a case's owner."""
    reviewer("sue", role=Role.SUPPORT)
    reviewer("gone", active=False)
    case = _stopped(desk)
    for state in ("open", "assigned"):
        before = ReviewCase.objects.filter(pk=case.pk).values().get()
        assert before["state"] == state
        with pytest.raises(OwnerUnknown):
            review_case.assign_case(case_reference=case.reference, owner=owner, actor="user:x", now=desk.clock.now())
        assert ReviewCase.objects.filter(pk=case.pk).values().get() == before
        assert not ReviewNote.objects.filter(case_reference=case.reference).exists()
        if state == "open":
            review_case.assign_case(case_reference=case.reference, owner="olga", actor="user:x", now=desk.clock.now())


@pytest.mark.parametrize("days", [-1, 367])
def test_a_review_date_in_the_past_or_far_away_is_refused(desk: Desk, days: int) -> None:
    case = _stopped(desk)
    with pytest.raises(BadReviewDate):
        review_case.assign_case(
            case_reference=case.reference,
            owner="olga",
            next_review_on=desk.clock.now().date() + timedelta(days=days),
            actor="user:x",
            now=desk.clock.now(),
        )
    assert ReviewCase.objects.get(pk=case.pk).next_review_on is None


def test_many_cases_are_assigned_each_with_its_own_result(desk: Desk) -> None:
    first, second = _stopped(desk, "30.00"), _stopped(desk, "40.00")
    _resolved(desk, second)
    results = review_case_batch.assign_cases(
        case_references=[first.reference, second.reference, "rev_none", first.reference],
        owner="olga",
        next_review_on=None,
        actor="user:lena",
        now=desk.clock.now(),
    )
    assert [(one.case_reference, one.done) for one in results] == [
        (first.reference, True),
        (second.reference, False),
        ("rev_none", False),
    ]
    assert results[0].told.startswith("Assigned to olga, next review ")
    assert [results[1].told, results[2].told] == ["This case is resolved.", "There is no review case rev_none."]
    assert ReviewCase.objects.get(pk=first.pk).owner == "olga"


def _resolved(desk: Desk, case: ReviewCase) -> None:
    """Prove the debit absent: a rejection is found."""
    desk.wallet.script = [declined]
    review_case.look_up_now(case_reference=case.reference, actor="user:olga", now=desk.clock.now())
    decided = review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="debit_absent",
        reason="rejected there",
        actor="user:olga",
        now=desk.clock.now(),
    )
    assert decided.resolved, "it is below the threshold"
    with pytest.raises(CaseResolved):
        review_case.assign_case(case_reference=case.reference, owner="olga", actor="user:x", now=desk.clock.now())


@pytest.mark.parametrize("threads", [1, 8])
def test_many_cases_are_looked_up_each_with_its_own_result(desk: Desk, settings: Settings, threads: int) -> None:
    cases = [_stopped(desk, f"{n}0.00") for n in (2, 3, 4)]
    desk.wallet.script = [None]
    desk.wallet.applied[f"{cases[0].subject}:debit:v1"] = RemoteRequest(
        key=f"{cases[0].subject}:debit:v1",
        leg="debit",
        asset="EUR",
        amount_minor=2_000,
        amount_text="20.00",
        user_reference="alice",
        owner=cases[0].subject,
        metadata={},
    )
    desk.later(hours=1)
    settings.SAGA_THREADS = threads
    asked = len(desk.wallet.calls)
    results = review_case_batch.look_up_cases(
        case_references=[*(one.reference for one in cases), "rev_none"], actor="user:olga"
    )
    assert [(one.case_reference, one.done, one.told) for one in results] == [
        (cases[0].reference, True, "The lookup says: confirmed."),
        (cases[1].reference, True, "The lookup says: absent, nothing is there past the not-found horizon."),
        (cases[2].reference, True, "The lookup says: absent, nothing is there past the not-found horizon."),
        ("rev_none", False, "There is no review case rev_none."),
    ]
    assert {kind for kind, _ in desk.wallet.calls[asked:]} == {"lookup"}
    assert ReviewCase.objects.filter(state="open").count() == 3, "evidence alone moves nothing"


@pytest.mark.parametrize("threads", [1, 8])
def test_the_workers_look_up_what_slow_operators_do_not_answer_in_time(
    desk: Desk, settings: Settings, threads: int
) -> None:
    """Each answer takes 4 s: a person waits for the first ones, all others are looked up by the workers, and told so."""
    cases = [_stopped(desk, f"{n}0.00") for n in range(2, 14)]
    desk.later(hours=2)
    lock = threading.Lock()

    def slow(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        with lock:
            desk.later(seconds=4)
        return true_state(wallet, kind, request)

    desk.wallet.script = [slow]
    settings.SAGA_THREADS = threads
    asked = len(desk.wallet.calls)
    results = review_case_batch.look_up_cases(case_references=[one.reference for one in cases], actor="user:olga")
    now_done, later = ([one for one in results if one.done], [one for one in results if one.later])
    assert len(now_done) + len(later) == len(results) == 12
    assert 3 <= len(now_done) <= 6, "ten seconds' worth, and what was under way"
    assert {one.told for one in later} == {"The workers look it up next: the case will show what they hear."}
    assert len(desk.wallet.calls) == asked + len(now_done)
    settings.SAGA_THREADS = 1
    drains.drain("sagas")
    assert set(desk.wallet.calls[asked:]) == {("lookup", f"{one.subject}:debit:v1") for one in cases}
    for one in later:
        notes = ReviewNote.objects.filter(case_reference=one.case_reference).values_list("author", "text")
        assert list(notes) == [("user:olga", "Asked the workers to look it up.")]
    assert ReviewCase.objects.filter(state="open").count() == 12, "evidence alone moves nothing"


def test_whatever_is_not_reached_in_the_request_is_looked_up_by_the_workers(
    desk: Desk, wallet: ScriptedWallet, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits at all here: the workers take all of them, of both operators."""
    quick = open_desk(wallet, desk.clock, slug="quick")
    Gateway.objects.update(breaker_failures=1_000)
    desk.wallet.script = [lost_before]
    orders = [one.order(f"{place + 10}.00", user=f"u{place}") for place in range(5) for one in (desk, quick)]
    desk.drive(passes=8)
    cases = list(ReviewCase.objects.filter(subject__in=[order.reference for order in orders]))
    assert len(cases) == 10
    desk.later(hours=2)
    monkeypatch.setattr(review_case_batch, "_PATIENCE_SECONDS", 0.0)
    asked = len(desk.wallet.calls)
    results = review_case_batch.look_up_cases(case_references=[one.reference for one in cases], actor="user:olga")
    assert [(one.done, one.later) for one in results] == [(False, True)] * 10
    drains.drain("sagas")
    assert {key for _, key in desk.wallet.calls[asked:]} == {f"{order.reference}:debit:v1" for order in orders}
    resolved = review_case_batch.look_up_cases(case_references=["rev_none"], actor="user:olga")
    assert [(one.done, one.later, one.told) for one in resolved] == [
        (False, False, "There is no review case rev_none.")
    ], "what cannot be handed over is not said to be"


@pytest.mark.parametrize("count", [0, 101])
def test_no_more_than_a_hundred_cases_at_once(desk: Desk, count: int) -> None:
    names = [f"rev_{n}" for n in range(count)]
    with pytest.raises(TooMany):
        review_case_batch.look_up_cases(case_references=names, actor="user:olga")
    with pytest.raises(TooMany):
        review_case_batch.assign_cases(
            case_references=names, owner="olga", next_review_on=None, actor="user:olga", now=desk.clock.now()
        )


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Confirmed("wal_1"), "confirmed"),
        (Rejected("account_closed"), "rejected, account closed"),
        (Unknown(Cause.ABSENT), "absent, nothing is there past the not-found horizon"),
        (Unknown(Cause.NOT_FOUND), "unknown, nothing is there, which proves nothing before the not-found horizon"),
        (Unknown(Cause.SERVER_ERROR), "unknown, server error"),
    ],
)
def test_a_lookup_says_to_people_whether_absence_is_proven(outcome: Outcome, told: str) -> None:
    assert review_case.told(outcome) == f"The lookup says: {told}."
