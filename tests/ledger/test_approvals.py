"""Rule H1: maker and checker are different people, superusers included; a proposal is bound to a version."""

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger.controls import approvals
from ledger.controls.approvals import AlreadyDecided, OutdatedProposal, SelfApproval
from ledger.models import Approval
from tests.threads import run_threads

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2025, 3, 12, 9, 30, tzinfo=UTC)


def _proposed(subject: str = "rev_1", version: int = 3) -> Approval:
    return approvals.propose(
        environment="test",
        kind="resolution",
        subject=subject,
        subject_version=version,
        content={"resolution": "compensate"},
        reason="seen on the statement",
        maker="user:ann",
        now=NOW,
    )


def test_another_person_approves() -> None:
    proposal = _proposed()
    approvals.approve(proposal, checker="user:bob", reason="yes", subject_version=3, now=NOW)
    stored = Approval.objects.get()
    assert (stored.decision, stored.maker, stored.checker) == ("approved", "user:ann", "user:bob")
    assert (stored.decision_reason, stored.decided_at) == ("yes", NOW)


def test_maker_may_not_approve() -> None:
    with pytest.raises(SelfApproval):
        approvals.approve(_proposed(), checker="user:ann", reason="yes", subject_version=3, now=NOW)
    assert Approval.objects.get().decision == "proposed"


@pytest.mark.parametrize("version", [2, 4])
def test_proposal_is_outdated_when_its_subject_has_moved(version: int) -> None:
    with pytest.raises(OutdatedProposal):
        approvals.approve(_proposed(), checker="user:bob", reason="yes", subject_version=version, now=NOW)
    assert Approval.objects.get().decision == "proposed"


@pytest.mark.parametrize("checker,decision", [("user:bob", "refused"), ("user:ann", "withdrawn")])
def test_proposal_is_decided_once(checker: str, decision: str) -> None:
    proposal = _proposed()
    approvals.refuse(proposal, checker=checker, reason="no", now=NOW)
    assert Approval.objects.get().decision == decision
    with pytest.raises(AlreadyDecided):
        approvals.approve(proposal, checker="user:bob", reason="yes", subject_version=3, now=NOW)
    with pytest.raises(AlreadyDecided):
        approvals.refuse(proposal, checker="user:bob", reason="no", now=NOW)


def test_subject_has_one_open_proposal() -> None:
    _proposed()
    with pytest.raises(IntegrityError), db_transaction.atomic():
        _proposed()
    _proposed(subject="rev_2")
    assert Approval.objects.count() == 2


def test_one_of_two_decides_when_both_hold_the_lock_in_turn() -> None:
    _proposed()

    def deciding(checker: str) -> str:
        with db_transaction.atomic():
            proposal = approvals.lock_open(subject="rev_1")
            if proposal is None:
                return "too late"
            approvals.approve(proposal, checker=checker, reason="yes", subject_version=3, now=NOW)
            return "approved"

    ends = run_threads(lambda: deciding("user:bob"), lambda: deciding("user:eve"))
    assert sorted(ends) == ["approved", "too late"]  # type: ignore[type-var]  # no exceptions among them


@pytest.mark.parametrize(
    "change",
    [
        "decision = 'approved'",
        "decision = 'approved', checker = maker",
        "decision = 'approved', checker = NULL, decided_at = now()",
    ],
)
def test_raw_sql_cannot_approve_ones_own(application_connection: psycopg.Connection[Any], change: str) -> None:
    _proposed()
    with pytest.raises(psycopg.errors.CheckViolation):
        application_connection.execute(f"UPDATE ledger_approval SET {change}".encode())
    assert Approval.objects.get().decision == "proposed"


@pytest.mark.parametrize(
    "change",
    [
        "decision = 'proposed', checker = NULL, decided_at = NULL",
        "checker = 'user:eve'",
        "maker = 'user:eve'",
        "content = '{}'",
        "subject_version = 9",
    ],
)
def test_raw_sql_cannot_change_a_decision(application_connection: psycopg.Connection[Any], change: str) -> None:
    approvals.approve(_proposed(), checker="user:bob", reason="yes", subject_version=3, now=NOW)
    with pytest.raises(psycopg.errors.RestrictViolation):
        application_connection.execute(f"UPDATE ledger_approval SET {change}".encode())


@pytest.mark.parametrize("change", ["maker = 'user:eve'", "content = '{}'", "subject_version = 9", "kind = 'x'"])
def test_raw_sql_cannot_change_what_was_proposed(application_connection: psycopg.Connection[Any], change: str) -> None:
    _proposed()
    with pytest.raises(psycopg.errors.RestrictViolation):
        application_connection.execute(f"UPDATE ledger_approval SET {change}".encode())
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application_connection.execute("DELETE FROM ledger_approval")


_INSERT = (
    "INSERT INTO ledger_approval (reference, environment, kind, subject, subject_version, content, reason, decision,"
    " decision_reason, maker, checker, proposed_at, decided_at) VALUES ('apr_forged', 'test', 'resolution', 'rev_1', 3, '{}',"
    " 'r', %s, %s, 'user:ann', %s, now(), %s)"
)


@pytest.mark.parametrize(
    "decided",
    [
        ("approved", "agreed", "user:bob", NOW),
        ("proposed", "agreed", None, None),
        ("proposed", "", "user:bob", None),
        ("proposed", "", None, NOW),
        ("withdrawn", "", None, None),
    ],
)
def test_raw_sql_makes_no_proposal_that_is_decided(
    application_connection: psycopg.Connection[Any], decided: tuple[Any, ...]
) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        application_connection.execute(_INSERT, decided)
    assert not Approval.objects.exists()


def test_raw_sql_approves_nothing_in_the_transaction_that_proposes_it(
    application_connection: psycopg.Connection[Any],
) -> None:
    approve = "UPDATE ledger_approval SET decision = 'approved', checker = 'user:bob', decided_at = now()"

    def both() -> None:
        with application_connection.transaction():
            application_connection.execute(_INSERT, ("proposed", "", None, None))
            application_connection.execute("SAVEPOINT later")
            application_connection.execute(approve)

    with pytest.raises(psycopg.errors.RestrictViolation):
        both()
    assert not Approval.objects.exists()
    application_connection.execute(_INSERT, ("proposed", "", None, None))
    with pytest.raises(psycopg.errors.RestrictViolation):
        application_connection.execute(b"UPDATE ledger_approval SET proposed_in = NULL")
    application_connection.execute(approve)
    assert Approval.objects.get().decision == "approved"
