"""Crash at every commit, and at each side of each remote call, of the buy saga; then another worker recovers.

The books end equal to the undisturbed run, or in a manual review with the books unchanged; never a second ask of a key.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection

from ledger.controls import drains
from ledger.models import Posting
from orders.sagas import runner
from tests.orders import wallet as answers
from tests.orders.desk import Desk, reloaded
from tests.orders.wallet import ScriptedWallet, Step
from wallets.gateway_port import RemoteRequest, Reply

pytestmark = pytest.mark.usefixtures("database")


class Killed(BaseException):
    """The process is gone: no handler of the product runs."""


class Killer:
    """Counts the points at which the process can die, and dies at the chosen one."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.points: list[str] = []

    def reach(self, point: str) -> None:
        self.points.append(point)
        if self.at == len(self.points) - 1:
            assert connection.connection is not None
            connection.connection.close()  # the server rolls back what was not committed
            raise Killed(point)


@contextmanager
def killing(killer: Killer, wallet: ScriptedWallet, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the killer look at each commit (before and after) and at each side of each remote call."""
    commit = connection._commit  # type: ignore[attr-defined]  # the one place that every commit passes
    ask, look_up = wallet.ask, wallet.look_up

    def commit_watched() -> None:
        killer.reach("before commit")
        commit()
        killer.reach("after commit")

    def watched(kind: str, question: object) -> object:
        def call(request: RemoteRequest, **options: object) -> Reply:
            killer.reach(f"before {kind}")
            reply: Reply = question(request, **options)  # type: ignore[operator]
            killer.reach(f"after {kind}")
            return reply

        return call

    def dead(*_: object, **__: object) -> None:
        raise Killed  # a dead process notes no defect

    with monkeypatch.context() as patch:
        patch.setattr(runner, "_note_defect", dead)
        patch.setattr(connection, "_commit", commit_watched)
        patch.setattr(wallet, "ask", watched("ask", ask))
        patch.setattr(wallet, "look_up", watched("lookup", look_up))
        yield


def _run_until_killed(desk: Desk, killer: Killer, monkeypatch: pytest.MonkeyPatch, *, passes: int) -> None:
    try:
        with killing(killer, desk.wallet, monkeypatch):
            desk.drive(passes=passes)
    except (Killed, OperationalError):  # a killed commit shows as a closed connection to Django's own clean-up
        connection.close()
    desk.later(minutes=5)


def _books() -> Counter[tuple[str, str, str, str, int]]:
    """What stands in the books, whatever the references are called."""
    rows = Posting.objects.select_related("transaction", "debit_account", "credit_account")
    return Counter(
        (
            row.transaction.event_type,
            row.kind,
            row.debit_account.address,
            row.credit_account.address,
            int(row.amount_minor),
        )
        for row in rows
    )


COURSES: dict[str, tuple[list[Step | None], str, str]] = {
    "processed": ([None], "alice", "processed"),
    "declined": ([answers.declined, None], "alice", "failed"),
    "found": ([answers.lost_after, None], "alice", "processed"),
    "compensated": ([None], "magic-halt.alice", "compensated"),
}


def _course(desk: Desk, name: str) -> tuple[str, str]:
    script, user, ends_in = COURSES[name]
    desk.wallet.script = list(script)
    return user, ends_in


@pytest.mark.parametrize("name", COURSES)
def test_books_are_whole_when_the_process_dies_at_any_point(
    name: str, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, ends_in = _course(desk, name)
    order = desk.order(user=user)
    scout = Killer(at=None)
    with killing(scout, desk.wallet, monkeypatch):
        desk.drive(passes=8)
    assert reloaded(order).state == ends_in
    undisturbed = _books()
    before = Counter(undisturbed)
    assert len(scout.points) >= 12

    reviewed = 0
    for at in range(len(scout.points)):
        _reopen(desk)
        _course(desk, name)
        desk.wallet.applied.clear()
        desk.wallet.calls.clear()
        order = desk.order(user=user, amount="100.00")
        _run_until_killed(desk, Killer(at=at), monkeypatch, passes=8)
        desk.drive(passes=12)

        state = reloaded(order).state
        asked = Counter(key for kind, key in desk.wallet.calls if kind == "ask")
        assert all(count == 1 for count in asked.values()), (name, scout.points[at], asked)
        moved = _books() - before
        if state == "manual_review":
            reviewed += 1
            assert {event_type for event_type, *_ in moved} <= {
                "TRADE_RESERVE",
                "ORDER_DEBIT_CONFIRMED",
                "TRADE_RELEASE",
            }, (name, scout.points[at])
        else:
            assert state == ends_in, (name, at, scout.points[at])
            assert _shape(moved) == _shape(undisturbed), (name, at, scout.points[at])
        before = _books()
    assert reviewed <= len(scout.points) // 2


def _shape(books: Counter[tuple[str, str, str, str, int]]) -> Counter[tuple[str, str, str, str]]:
    """Compare without the pool's output, which depends on the reserves of the moment; without the funding."""
    shape: Counter[tuple[str, str, str, str]] = Counter()
    for (event_type, kind, debit, credit, _), count in books.items():
        if event_type != "POOL_FUNDING":
            shape[event_type, kind, debit, credit] += count
    return shape


def _reopen(desk: Desk) -> None:
    from django.db import transaction as db_transaction

    from orders.models import PoolHalt
    from orders.operations.halt_pool import lift_halt

    for halt in PoolHalt.objects.filter(lifted_at__isnull=True).select_related("pool"):
        with db_transaction.atomic():
            lift_halt(pool=halt.pool, actor="user:lead", now=desk.clock.now())


def test_nothing_moves_when_a_worker_sleeps_between_claim_and_send_until_its_order_has_failed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from orders.operations import review_case
    from tests.orders.desk import open_case
    from wallets import remote_operations

    order = desk.order()
    slept: list[str] = []
    question = remote_operations._question

    def sleepy(claimed: remote_operations._Claimed) -> remote_operations.Performed:
        if slept:
            return question(claimed)
        slept.append(claimed.operation.key)
        desk.later(minutes=30)  # the lease and the horizon run out while this worker sleeps
        desk.drive(passes=12)  # another worker looks up, and gives the order to people
        assert reloaded(order).state == "manual_review"
        case = open_case(order)
        from ledger.controls import clock

        decided = review_case.propose_resolution(
            case_reference=case.reference,
            case_version=case.version,
            resolution="debit_absent",
            reason="proven",
            actor="user:ops",
            now=clock.now(),
        )
        assert decided.resolved
        assert reloaded(order).state == "failed"
        return question(claimed)  # it wakes

    monkeypatch.setattr(remote_operations, "_question", sleepy)
    drains.drain("sagas")
    assert slept
    assert [kind for kind, _ in desk.wallet.calls if kind == "ask"] == []
    assert desk.wallet.applied == {}
    assert reloaded(order).state == "failed"
    assert not Posting.objects.filter(transaction__subject=order.reference, kind__in=["posted", "post"]).exists()


def test_late_confirmation_is_evidence_and_leaves_a_failed_order_failed(desk: Desk) -> None:
    """The wallet applies after all, past every horizon: the operation says so; the order, ended, stays as it is."""
    from ledger.controls import clock
    from orders.operations import review_case
    from tests.orders.desk import open_case
    from wallets.models import RemoteOperation
    from wallets.remote_operations import look_up

    desk.wallet.script = [answers.lost_before, None]
    order = desk.order()
    desk.drive(passes=12)
    case = open_case(order)
    review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="debit_absent",
        reason="proven",
        actor="user:ops",
        now=clock.now(),
    )
    operation = RemoteOperation.objects.get(owner=order.reference)
    assert operation.state == "absent"
    desk.wallet.applied[operation.key] = RemoteRequest(operation.key, "debit", "EUR", 10_000, "100.00", "alice", "")
    look_up(operation.key)
    assert RemoteOperation.objects.get(pk=operation.pk).state == "confirmed"
    assert reloaded(order).state == "failed"
    assert runner.due() == 0
