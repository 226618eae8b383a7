"""Killed at each commit: a statement's import, a settlement, a close's signatures, a rule's activation.

Each flow is tried again and again by one who only knows its first line; the n-th attempt dies at the n-th point at which it
could. When one lives, nothing is lost, doubled or half done.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection

from ledger import periods
from ledger.controls import clock
from ledger.models import Approval, Move, Period, Transaction
from orders.models import Order
from reconciliation import close_runs, proving, signing
from reconciliation.models import CloseRun, CloseSignature, DayMovement, StatementFile, StatementLine, StatementMatch
from reconciliation.statements import importing, matching
from tests.orders.desk import reloaded
from tests.orders.test_crashes import Killed, Killer
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.statements import BANK_HEADER, bank_source, open_bank, received, rules, text
from tests.wallets.rules import fee
from wallets import rules as wallet_rules
from wallets.models import FeeRule
from wallets.operations import settle_operator

pytestmark = pytest.mark.usefixtures("database")

_WRITES = ("INSERT", "UPDATE", "DELETE")
_MOST = 120


@contextmanager
def _watched(killer: Killer, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the killer look at each commit, before it and after it."""
    commit = connection._commit  # type: ignore[attr-defined]  # the one place that every commit passes

    def commit_watched() -> None:
        killer.reach("before commit")
        commit()
        killer.reach("after commit")

    def autocommit_watched(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if connection.in_atomic_block or not sql.lstrip().startswith(_WRITES):
            return execute(sql, *rest)
        killer.reach(f"before {sql.split()[0]}")
        result = execute(sql, *rest)
        killer.reach(f"after {sql.split()[0]}")
        return result

    with monkeypatch.context() as patch, connection.execute_wrapper(autocommit_watched):
        patch.setattr(connection, "_commit", commit_watched)
        yield


def _die_at_every_point(
    flow: Callable[[], None],
    progress: Callable[[], object],
    monkeypatch: pytest.MonkeyPatch,
    later: Callable[[], None] = lambda: None,
) -> int:
    """Return how many attempts died before one lived. From each `progress` on every point is died at, until it changes."""
    at = 0
    for died in range(_MOST):
        before, killer = progress(), Killer(at=at)
        try:
            with _watched(killer, monkeypatch):
                flow()
        except (Killed, DatabaseError):  # Django's own clean-up meets a closed connection
            assert killer.dead
            connection.close()
            later()
            at = at + 1 if progress() == before else 0
            continue
        assert not killer.dead
        return died
    raise AssertionError("it never lived")


def test_a_statement_is_imported_and_matched_once(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    source = bank_source()
    for number in range(3):
        received(f"payin:{number}", 1_000 + number, subject=f"int_{number}")
    on = DATE.strftime("%d.%m.%Y")
    content = text(BANK_HEADER, [f"b{number};{on};;10,0{number};;int_{number};;" for number in range(4)])

    def flow() -> None:
        file = importing.receive(source=source, name="s.csv", content=content, actor="user:fay", now=clock.now())
        if StatementFile.objects.get(pk=file.pk).state == "received":
            assert StatementLine.objects.count() == 0, "all lines or none"
            importing.take_in(reference=file.reference, actor="user:fay", now=clock.now())
        matching.match_source(source)

    def progress() -> object:
        return StatementFile.objects.values_list("state").first(), StatementMatch.objects.count()

    assert _die_at_every_point(flow, progress, monkeypatch) >= 6
    (file,) = StatementFile.objects.all()
    assert (file.state, file.new_lines, StatementLine.objects.count()) == ("imported", 4, 4)
    assert [rules()[f"b{number}"] for number in range(3)] == ["our_reference"] * 3
    assert StatementMatch.objects.count() == 3
    assert Move.objects.filter(subject=file.reference).count() == 2
    assert Move.objects.filter(machine="statement_match").count() == 3


def test_a_settlement_is_posted_once(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    day.processed("100.00")
    open_bank()
    day.after_midnight()

    def flow() -> None:
        proposal = Approval.objects.filter(kind=settle_operator.KIND).first()
        if proposal is None:
            proposal = settle_operator.propose_settlement(
                environment="test",
                operator_slug="acme",
                business_date=DATE,
                asset="EUR",
                bank="bank:main",
                reason="monthly",
                maker="user:fay",
                now=clock.now(),
            )
        if proposal.decision == Approval.Decision.PROPOSED:
            assert not Transaction.objects.filter(event_type="OPERATOR_SETTLEMENT").exists(), (
                "approved and posted, or neither"
            )
            settle_operator.approve_settlement(
                reference=proposal.reference, reason="agreed", checker="user:lee", now=clock.now()
            )

    def progress() -> object:
        return list(Approval.objects.values_list("decision"))

    assert _die_at_every_point(flow, progress, monkeypatch) >= 4
    (proposal,) = Approval.objects.filter(kind=settle_operator.KIND)
    (posted,) = Transaction.objects.filter(event_type="OPERATOR_SETTLEMENT")
    assert (proposal.decision, posted.refs["approval"]) == ("approved", proposal.reference)


def test_a_close_is_run_proved_signed_and_finished_once(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    order = day.processed()
    day.failed()
    day.desk.clock.move_to(day.desk.clock.now().replace(hour=1, minute=5) + timedelta(days=1))

    def flow() -> None:
        close = close_runs.ensure(environment="test", business_date=DATE)
        if close.state == CloseRun.State.OPEN:
            if not close.runs or close.attempts:
                close = close_runs.run(close=close).close
            signing.submit_close(
                close_reference=close.reference,
                close_version=close.version,
                comment="",
                actor="user:fiona",
                now=clock.now(),
            )
        close = CloseRun.objects.get()
        if close.state == CloseRun.State.IN_REVIEW:
            assert not periods.is_locked("test", DATE), "signed and locked, or neither"
            assert CloseSignature.objects.count() == 1
            if not close.proof:
                assert proving.prove(close)
            close = CloseRun.objects.get()
            signing.sign_close(
                close_reference=close.reference, close_version=close.version, comment="", actor="user:frank"
            )
            close = CloseRun.objects.get()
        signing.finish_locked(close)

    def progress() -> object:
        close = CloseRun.objects.first()
        return (
            (close.state, close.runs, bool(close.proof), close.movements_kept_at, close.available_at is None)
            if close
            else None
        )

    died = _die_at_every_point(flow, progress, monkeypatch, lambda: day.desk.later(minutes=16))
    assert died >= 12
    close = CloseRun.objects.get()
    assert (close.state, close.preparer, close.reviewer, close.available_at) == (
        "locked",
        "user:fiona",
        "user:frank",
        None,
    )
    assert list(CloseSignature.objects.order_by("pk").values_list("role", flat=True)) == ["preparer", "reviewer"]
    assert list(Move.objects.filter(subject=close.reference).order_by("id").values_list("to_state", flat=True)) == [
        *("open", "in_review", "signed", "locked"),
    ]
    assert Period.objects.filter(business_date=DATE).count() == 1
    assert set(Order.objects.values_list("reconciliation_state", flat=True)) == {"closed"}
    kept = DayMovement.objects.filter(close_reference=close.reference)
    assert kept.exists()
    assert sum(row.debits_posted - row.credits_posted for row in kept) == 0
    assert reloaded(order).state == "processed"
    on_disk = {path.name for path in (day.files / "test" / DATE.isoformat()).iterdir() if path.is_file()}
    assert set(CloseSignature.objects.first().files) == on_disk  # type: ignore[union-attr]  # it is there


def test_a_rule_is_activated_once(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    old = _rule()
    wallet_rules.propose(reference=old.reference, note="first", actor="user:fay", now=clock.now())
    wallet_rules.approve(reference=old.reference, reason="seen", actor="user:lee", now=clock.now())
    fresh = _rule()

    def flow() -> None:
        rule = wallet_rules.named(fresh.reference)
        if rule.state == FeeRule.State.DRAFT:
            wallet_rules.propose(reference=rule.reference, note="second", actor="user:fay", now=clock.now())
            rule = wallet_rules.named(fresh.reference)
        if rule.state == FeeRule.State.PROPOSED:
            assert wallet_rules.named(old.reference).state == "active", "replaced by the new one, or active still"
            wallet_rules.approve(reference=rule.reference, reason="seen", actor="user:lee", now=clock.now())

    def progress() -> object:
        return wallet_rules.named(fresh.reference).state

    assert _die_at_every_point(flow, progress, monkeypatch) >= 4
    states = {one.reference: one.state for one in FeeRule.objects.filter(code="house")}
    assert (states[old.reference], states[fresh.reference]) == ("retired", "active")
    for rule, path in ((old, ["draft", "proposed", "active", "retired"]), (fresh, ["draft", "proposed", "active"])):
        moves = Move.objects.filter(subject=rule.reference).order_by("id")
        assert list(moves.values_list("to_state", flat=True)) == path
    assert Approval.objects.filter(subject=fresh.reference).count() == 1


def _rule() -> Any:
    return wallet_rules.draft(
        environment="test", code="house", terms=fee(fixed_minor=100), note="", actor="user:fay", now=clock.now()
    )
