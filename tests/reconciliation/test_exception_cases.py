"""Cases: opened once, refreshed, healed when a later run no longer finds the break, opened again when it does."""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django_fsm import TransitionNotAllowed

from ledger.controls import clock
from ledger.controls.refusals import NotFound, Refusal
from ledger.controls.roles import Role
from ledger.models import Event, Move
from orders.models import Order
from reconciliation import close_runs, leases
from reconciliation.exception_cases import CaseEnded, OwnerMissing, OwnerUnknown, ReviewDatePassed, assign_case
from reconciliation.models import CloseArtifact, CloseRun, ExceptionCase
from tests.orders.desk import reloaded
from tests.reconciliation.day import DATE, Day
from tests.reviewers import reviewer

MONDAY = DATE + timedelta(days=2)


def _break_quote(day: Day, order: Order) -> None:
    day.plant("UPDATE orders_order SET quote_reference = '' WHERE reference = %s", order.reference)


def _mend_quote(day: Day, order: Order) -> None:
    day.plant(
        "UPDATE orders_order SET quote_reference = %s WHERE reference = %s", order.quote_reference, order.reference
    )


def _case() -> ExceptionCase:
    return ExceptionCase.objects.get()


def _moves(case: ExceptionCase) -> list[tuple[str, str]]:
    return list(Move.objects.filter(subject=case.reference).order_by("id").values_list("from_state", "to_state"))


def test_case_heals_when_a_later_run_no_longer_finds_its_break(day: Day) -> None:
    order = day.processed()
    _break_quote(day, order)
    day.close()
    _mend_quote(day, order)
    report = day.close()
    case = _case()
    assert (report.cases.healed, report.cases.standing) == (1, 0)
    assert case.state == "resolved"
    assert case.resolution == "Healed: the close of 2026-03-14 no longer finds it."
    assert reloaded(order).reconciliation_state == "matched"
    assert _moves(case) == [("", "open"), ("open", "resolved")]
    assert Event.objects.filter(aggregate=case.reference, public=False).count() == 2


def test_case_opens_again_when_its_break_is_found_again(day: Day) -> None:
    order = day.processed()
    _break_quote(day, order)
    day.close()
    _mend_quote(day, order)
    day.close()
    assert _case().state == "resolved"
    _break_quote(day, order)
    report = day.close()
    assert _case().state == "open"
    assert (report.cases.reopened, report.cases.opened) == (1, 0)
    assert _case().resolution == ""
    assert reloaded(order).reconciliation_state == "exception"


def _bytes(folder: Path) -> dict[str, bytes]:
    """All files but the moves, among which the first run's own are on the same day, and the manifest that lists them."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if path.name not in ("moves.csv", "manifest.json")
    }


def test_nothing_changes_when_a_close_is_run_again(day: Day) -> None:
    order = day.processed()
    _break_quote(day, order)
    first = day.close()
    moves, events = Move.objects.count(), Event.objects.count()
    before = _bytes(first.folder)
    day.desk.later(minutes=5)
    second = day.close()
    assert (second.cases.opened, second.cases.refreshed, second.cases.healed) == (0, 1, 0)
    assert (Move.objects.count(), Event.objects.count()) == (moves, events)
    assert _bytes(second.folder) == before
    assert CloseArtifact.objects.count() == 11
    close = CloseRun.objects.get()
    assert (close.runs, close.attempts, close.lease_token) == (2, 0, "")
    assert _case().last_seen_at == second.as_of > first.as_of


def test_cases_are_not_doubled_when_runs_of_one_date_meet(day: Day, run_threads: Callable[..., Sequence[Any]]) -> None:
    for _ in range(3):
        _break_quote(day, day.processed())
    now = day.desk.clock

    def run() -> object:
        with clock.use(now):
            return close_runs.run(close=close_runs.ensure(environment="test", business_date=DATE))

    ends = run_threads(run, run, run, run)
    assert CloseRun.objects.count() == 1
    assert ExceptionCase.objects.count() == 3
    assert all(isinstance(end, close_runs.Report | leases.CloseBusy) for end in ends), ends
    assert sum(isinstance(end, close_runs.Report) for end in ends) >= 1
    assert sum(end.cases.opened for end in ends if isinstance(end, close_runs.Report)) == 3


def test_cases_are_not_doubled_when_two_dates_find_one_record(
    day: Day, run_threads: Callable[..., Sequence[Any]]
) -> None:
    order = day.in_review()
    day.after_midnight()
    day.plant(
        "INSERT INTO ledger_move (environment, operator_id, machine, subject, sequence, from_state, to_state, actor,"
        " cause, request_id, event_reference, moved_at) SELECT environment, operator_id, machine, subject, 99,"
        " 'manual_review', 'failed', actor, cause, request_id, event_reference, moved_at + interval '1 day'"
        " FROM ledger_move WHERE subject = %s AND to_state = 'manual_review'",
        order.reference,
    )
    day.plant("UPDATE orders_order SET state = 'failed', version = 99 WHERE reference = %s", order.reference)
    _break_quote(day, order)
    day.desk.later(days=1)

    def run(which: date) -> Callable[[], object]:
        def work() -> object:
            with clock.use(day.desk.clock):
                return close_runs.run(close=close_runs.ensure(environment="test", business_date=which))

        return work

    ends = run_threads(run(DATE), run(DATE + timedelta(days=1)))
    assert all(isinstance(end, close_runs.Report) for end in ends), ends
    assert ExceptionCase.objects.filter(type="missing_quote").count() == 1


def test_only_cases_of_the_date_heal(day: Day) -> None:
    order = day.processed()
    _break_quote(day, order)
    day.close()
    _mend_quote(day, order)
    day.after_midnight()
    assert day.close(DATE + timedelta(days=1)).cases.healed == 0
    assert _case().state == "open"
    assert day.close().cases.healed == 1


def test_assigning_names_owner_and_review_date(day: Day) -> None:
    _break_quote(day, day.processed())
    day.close()
    for owner in ("finn", "fiona"):
        case = assign_case(
            case_reference=_case().reference,
            owner=owner,
            next_review_on=MONDAY,
            actor="user:lena",
            now=clock.now(),
        )
        assert (case.state, case.owner, case.next_review_on) == ("assigned", owner, MONDAY)
    assert _moves(_case()) == [("", "open"), ("open", "assigned"), ("assigned", "assigned")]
    day.close()
    assert (_case().state, _case().owner) == ("assigned", "fiona")


@pytest.mark.parametrize(
    ("reference", "owner", "review", "refusal"),
    [
        ("exc_nowhere", "finn", MONDAY, NotFound),
        ("", "  ", MONDAY, OwnerMissing),
        ("", "finn", DATE - timedelta(days=1), ReviewDatePassed),
    ],
)
def test_assigning_is_refused_and_changes_nothing(
    day: Day, reference: str, owner: str, review: date, refusal: type[Refusal]
) -> None:
    _break_quote(day, day.processed())
    day.close()
    before = _case()
    with pytest.raises(refusal):
        assign_case(
            case_reference=reference or before.reference,
            owner=owner,
            next_review_on=review,
            actor="user:lena",
            now=clock.now(),
        )
    assert (_case().version, _case().state) == (before.version, before.state)


@pytest.mark.parametrize("owner", ["nobody", "x" * 200, "user:fiona", "sue", "olga", "gone", "fiona\x00"])
def test_assigning_to_who_does_not_work_exceptions_is_refused(day: Day, owner: str) -> None:
    """sue is of support, olga of ops, and gone has left: neither they nor unknown people are ever a case's owner."""
    reviewer("sue", role=Role.SUPPORT)
    reviewer("olga")
    reviewer("gone", role=Role.FINANCE, active=False)
    _break_quote(day, day.processed())
    day.close()
    for state in ("open", "assigned"):
        before = ExceptionCase.objects.values().get()
        assert before["state"] == state
        with pytest.raises(OwnerUnknown) as refused:
            assign_case(
                case_reference=before["reference"],
                owner=owner,
                next_review_on=MONDAY,
                actor="user:lena",
                now=clock.now(),
            )
        assert refused.value.code == "owner_unknown"
        assert ExceptionCase.objects.values().get() == before
        if state == "open":
            assign_case(
                case_reference=before["reference"],
                owner=" fiona ",
                next_review_on=MONDAY,
                actor="user:lena",
                now=clock.now(),
            )
            assert _case().owner == "fiona"


def test_assigning_is_refused_when_the_case_is_healed(day: Day) -> None:
    order = day.processed()
    _break_quote(day, order)
    day.close()
    _mend_quote(day, order)
    day.close()
    with pytest.raises(CaseEnded):
        assign_case(
            case_reference=_case().reference, owner="finn", next_review_on=MONDAY, actor="user:lena", now=clock.now()
        )
    assert _case().state == "resolved"


def test_an_approved_case_stays_approved_until_its_break_is_another(day: Day) -> None:
    order = day.processed()
    _break_quote(day, order)
    day.close()
    day.plant("UPDATE reconciliation_exceptioncase SET state = 'approved'")
    day.close()
    assert _case().state == "approved"
    day.plant("UPDATE orders_order SET source_minor = source_minor + 1 WHERE reference = %s", order.reference)
    day.plant("UPDATE wallets_remoteoperation SET amount_minor = amount_minor + 1 WHERE owner = %s", order.reference)
    assert day.close().cases.reopened == 1
    assert _case().state == "open"


def test_a_case_is_not_approved_before_somebody_owns_it(day: Day) -> None:
    _break_quote(day, day.processed())
    day.close()
    with pytest.raises(TransitionNotAllowed):
        _case().approve()
