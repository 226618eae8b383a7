"""A date is locked by one person and unlocked by two; each lock and unlock leaves a row that stays (H1, L2, L8)."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection
from django.db import transaction as db_transaction

from ledger import periods, verify
from ledger.controls.approvals import AlreadyDecided, OutdatedProposal, SelfApproval
from ledger.models import Approval, Period, PeriodChange, Transaction
from tests.ledger.door import ENVIRONMENT, codes, open_book, plain
from tests.ledger.door import test_book as number_of_test_book
from tests.threads import run_threads

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
DAY = date(2025, 3, 11)
THEN = datetime(2025, 3, 11, 12, tzinfo=UTC)
NOW = THEN + timedelta(days=1)
LATER = NOW + timedelta(hours=1)


def _trace() -> list[tuple[Any, ...]]:
    rows = PeriodChange.objects.order_by("id").values_list("version", "action", "actor", "changed_at")
    return list(rows)


def test_lock_is_found_when_it_is_there_and_leaves_one_trace() -> None:
    first = periods.lock(ENVIRONMENT, DAY, "finance-1", NOW)
    again = periods.lock(ENVIRONMENT, DAY, "finance-2", LATER)
    assert (first.locked_at, first.locked_by, first.version) == (NOW, "finance-1", 1)
    assert (again.locked_at, again.locked_by, again.version) == (NOW, "finance-1", 1)
    assert _trace() == [(1, "locked", "finance-1", NOW)]
    assert periods.is_locked(ENVIRONMENT, DAY)
    assert not periods.is_locked("live", DAY)


def test_late_arrival_keeps_the_date_that_it_fell_into() -> None:
    open_book("a")
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    codes(plain("late", W, "a", 1, effective_at=THEN), plain("other", W, "a", 1), now=LATER)
    late, other = (Transaction.objects.get(key=key) for key in ("late", "other"))
    assert (late.effective_at, late.value_date, late.locked_date) == (LATER, THEN, DAY)
    assert (other.effective_at, other.value_date, other.locked_date) == (LATER, None, None)
    assert Period.objects.get(book_id=late.book_id, business_date=DAY).locked_by == "finance"


def test_two_people_unlock_a_date_and_the_trace_names_them() -> None:
    open_book("a")
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    proposal = periods.propose_unlock(ENVIRONMENT, DAY, "the bank's late file", "maker", NOW)
    assert periods.is_locked(ENVIRONMENT, DAY)
    decided = periods.unlock(ENVIRONMENT, DAY, "seen it", "checker", LATER)
    assert (decided.reference, decided.decision) == (proposal.reference, Approval.Decision.APPROVED)
    assert not periods.is_locked(ENVIRONMENT, DAY)
    assert _trace() == [(1, "locked", "finance", NOW), (2, "unlocked", "checker", LATER)]
    assert PeriodChange.objects.get(action="unlocked").approval == proposal.reference
    assert codes(plain("k", W, "a", 1, effective_at=THEN, refuse_locked=True), now=LATER) == ["created"]
    periods.lock(ENVIRONMENT, DAY, "finance", LATER)
    assert [row[:2] for row in _trace()] == [(1, "locked"), (2, "unlocked"), (3, "locked")]
    assert [v.check.name for v in verify.verify() if v.breaks] == []


def test_nobody_unlocks_alone() -> None:
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    with pytest.raises(periods.NoProposal):
        periods.unlock(ENVIRONMENT, DAY, "alone", "maker", NOW)
    periods.propose_unlock(ENVIRONMENT, DAY, "why", "maker", NOW)
    with pytest.raises(SelfApproval):
        periods.unlock(ENVIRONMENT, DAY, "alone", "maker", NOW)
    assert periods.is_locked(ENVIRONMENT, DAY)
    periods.refuse_unlock(ENVIRONMENT, DAY, "no", "checker", NOW)
    with pytest.raises(periods.NoProposal):
        periods.unlock(ENVIRONMENT, DAY, "again", "checker", NOW)
    assert [row[1] for row in _trace()] == ["locked"]


def test_date_that_is_not_locked_cannot_be_unlocked() -> None:
    with pytest.raises(periods.PeriodNotLocked):
        periods.propose_unlock(ENVIRONMENT, DAY, "why", "maker", NOW)
    assert Approval.objects.count() == 0
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    periods.propose_unlock(ENVIRONMENT, DAY, "why", "maker", NOW)
    with pytest.raises(IntegrityError), db_transaction.atomic():
        periods.propose_unlock(ENVIRONMENT, DAY, "why", "other", NOW)


def test_one_of_two_checkers_unlocks_when_both_try_at_once() -> None:
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    periods.propose_unlock(ENVIRONMENT, DAY, "why", "maker", NOW)
    ends = run_threads(*(lambda n=n: periods.unlock(ENVIRONMENT, DAY, "seen", f"checker-{n}", NOW) for n in range(3)))
    assert sum(isinstance(end, Approval) for end in ends) == 1
    assert all(isinstance(end, (Approval, periods.NoProposal, AlreadyDecided, OutdatedProposal)) for end in ends)
    assert [row[1] for row in _trace()] == ["locked", "unlocked"]


RAW = "SELECT ledger_unlock_period(%s::smallint, %s, %s)"


@pytest.mark.parametrize(
    "change",
    [
        "decision = 'proposed', checker = NULL",
        "decision = 'refused'",
        "kind = 'other'",
        "subject = 'period:test:2025-03-10'",
        "environment = 'live'",
        "subject_version = 2",
        "reference = 'apr_other'",
    ],
)
def test_raw_call_does_not_unlock_without_the_approval_of_this_very_lock(
    application_connection: psycopg.Connection[Any], superuser_connection: psycopg.Connection[Any], change: str
) -> None:
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    proposal = periods.propose_unlock(ENVIRONMENT, DAY, "why", "maker", NOW)
    call = [number_of_test_book(), DAY, proposal.reference]
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE ledger_approval SET decision = 'approved', checker = 'checker'")
    superuser_connection.execute(f"UPDATE ledger_approval SET {change}".encode())
    with pytest.raises(psycopg.errors.RestrictViolation):
        application_connection.execute(RAW, call)
    assert periods.is_locked(ENVIRONMENT, DAY)


def test_approval_is_good_for_one_lock_only(application_connection: psycopg.Connection[Any]) -> None:
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    proposal = periods.propose_unlock(ENVIRONMENT, DAY, "why", "maker", NOW)
    periods.unlock(ENVIRONMENT, DAY, "seen", "checker", NOW)
    call = [number_of_test_book(), DAY, proposal.reference]
    with pytest.raises(psycopg.errors.RestrictViolation):
        application_connection.execute(RAW, call)
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    with pytest.raises(psycopg.errors.RestrictViolation):
        application_connection.execute(RAW, call)
    assert periods.is_locked(ENVIRONMENT, DAY)


def test_trace_is_written_by_the_functions_alone(
    application_connection: psycopg.Connection[Any], owner_connection: psycopg.Connection[Any]
) -> None:
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    for statement in (
        "UPDATE ledger_period_change SET actor = 'x'",
        "DELETE FROM ledger_period_change",
        "INSERT INTO ledger_period_change OVERRIDING SYSTEM VALUE SELECT * FROM ledger_period_change",
        "UPDATE ledger_period SET locked_at = NULL",
        "INSERT INTO ledger_period SELECT 1, '2020-01-01'",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application_connection.execute(statement.encode())
    for statement in ("UPDATE ledger_period_change SET actor = 'x'", "DELETE FROM ledger_period_change"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            owner_connection.execute(statement.encode())
    assert _trace() == [(1, "locked", "finance", NOW)]


def test_unlock_waits_for_nobody_and_a_posting_in_flight_sees_one_of_the_two() -> None:
    """The race of L8 the other way: a date is unlocked while late arrivals come in."""
    open_book("a")
    periods.lock(ENVIRONMENT, DAY, "finance", NOW)
    periods.propose_unlock(ENVIRONMENT, DAY, "why", "maker", NOW)

    def posting(number: int) -> list[str]:
        return [codes(plain(f"{number}:{n}", W, "a", 1, effective_at=THEN), now=LATER)[0] for n in range(20)]

    def unlocking() -> list[str]:
        periods.unlock(ENVIRONMENT, DAY, "seen", "checker", LATER)
        return []

    ends = run_threads(lambda: posting(1), unlocking, lambda: posting(2))
    assert [end for end in ends if isinstance(end, BaseException)] == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT DISTINCT effective_at, value_date, locked_date FROM ledger_transaction")
        assert set(cursor.fetchall()) <= {(THEN, None, None), (LATER, THEN, DAY)}
    assert codes(plain("after", W, "a", 1, effective_at=THEN), now=LATER) == ["created"]
    assert Transaction.objects.get(key="after").effective_at == THEN
