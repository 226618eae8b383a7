"""Crash at every commit, and at each side of each remote call, from submission to the end; then another worker recovers.

The books end equal to the undisturbed run, or in a manual review with the books unchanged; never a second ask of a key.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from django.db import DatabaseError, connection

from orders.models import Order, ReviewCase
from orders.operations.submit_order import DuplicatePartnerOrder
from orders.sagas import runner
from tests.flush import Flush
from tests.orders import books
from tests.orders.desk import Desk, open_desk, trade_of
from tests.orders.wallet import ScriptedWallet, Step, declined, lost_after, lost_before, server_error
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Gateway, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")

_WRITES: Final = re.compile(r"^\s*((?:INSERT|UPDATE|DELETE) \w+|SELECT ledger_open_accounts)", re.MULTILINE)


class Killed(BaseException):
    """The process is gone: no handler of the product runs."""


class Killer:
    """Counts the points at which the process can die, and dies at the chosen one."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.points: list[str] = []
        self.dead = False

    def reach(self, point: str) -> None:
        if self.dead:
            raise Killed(point)
        self.points.append(point)
        if self.at == len(self.points) - 1:
            self.dead = True
            assert connection.connection is not None
            connection.connection.close()  # the server rolls back what was not committed
            raise Killed(point)


@contextmanager
def killing(killer: Killer, wallet: ScriptedWallet, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the killer look at each commit (before and after it) and at each side of each remote call."""
    commit = connection._commit  # type: ignore[attr-defined]  # the one place that every commit passes
    ask, look_up = wallet.ask, wallet.look_up

    def commit_watched() -> None:
        killer.reach("before commit")
        commit()
        killer.reach("after commit")

    def autocommit_watched(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        """A writing statement outside any block is a commit of its own."""
        writes = None if connection.in_atomic_block else _WRITES.search(sql)
        if writes is None:
            return execute(sql, *rest)
        killer.reach(f"before {writes[1]}")
        result = execute(sql, *rest)
        killer.reach(f"after {writes[1]}")
        return result

    def watched(kind: str, question: Callable[..., Reply]) -> Callable[..., Reply]:
        def call(request: RemoteRequest, **options: Any) -> Reply:
            killer.reach(f"before {kind}")
            reply = question(request, **options)
            killer.reach(f"after {kind}")
            return reply

        return call

    def dead(*_: object, **__: object) -> None:
        raise Killed  # a dead process notes no defect

    with monkeypatch.context() as patch, connection.execute_wrapper(autocommit_watched):
        patch.setattr(runner, "_note_defect", dead)
        patch.setattr(connection, "_commit", commit_watched)
        patch.setattr(wallet, "ask", watched("ask", ask))
        patch.setattr(wallet, "look_up", watched("lookup", look_up))
        yield


@dataclass(frozen=True)
class Course:
    debit: list[Step | None]
    reverse: list[Step | None]
    user: str
    ends_in: str
    first: tuple[str, int]
    """Where it parts from the courses above: earlier points are theirs too, and not crashed again."""
    gateway: Mapping[str, object] = field(default_factory=dict)


ONE_LOOKUP = {"requery_cap": 1, "not_found_horizon_ms": 1_000}
"""A gateway at which one lookup is enough to know, or to stop: each further one is like the first."""

COURSES = {
    "processed": Course([None], [None], "alice", "processed", ("before commit", 1)),
    "declined": Course([declined, None], [None], "alice", "failed", ("before ask", 1)),
    "unknown": Course([lost_after, server_error], [None], "alice", "manual_review", ("before ask", 1)),
    "unknown, found": Course([lost_after, None], [None], "alice", "processed", ("before lookup", 1)),
    "compensated": Course([None], [None], "magic-halt.alice", "compensated", ("after ask", 1)),
    "compensation unknown, found": Course(
        [None], [lost_after, None], "magic-halt.alice", "compensated", ("after ask", 2)
    ),
    "compensation declined": Course([None], [declined, None], "magic-halt.alice", "manual_review", ("after ask", 2)),
    "compensation unknown": Course(
        [None], [lost_after, server_error], "magic-halt.alice", "manual_review", ("before lookup", 1), ONE_LOOKUP
    ),
    "compensation absent": Course(
        [None], [lost_before, None], "magic-halt.alice", "manual_review", ("before lookup", 1), ONE_LOOKUP
    ),
}

Ends = tuple[str, Counter[books.Line], dict[tuple[str, str], tuple[int, ...]], list[str], list[str]]


def _lived(course: Course, killer: Killer, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> tuple[Order, Ends]:
    """Submit and drive until killed; let the leases run out; have others go on, the operator's server too."""
    desk.wallet.legs = {"debit": list(course.debit), "reverse": list(course.reverse)}
    desk.wallet.calls.clear()
    desk.wallet.applied.clear()
    desk.wallet.refused.clear()
    Gateway.objects.update(**course.gateway)
    quote = desk.quote("100.00", user=course.user)
    try:
        with killing(killer, desk.wallet, monkeypatch):
            desk.submit(quote, partner_order_id="shop-1")
            _drive(desk)
    except (Killed, DatabaseError):  # Django's own clean-up meets a closed connection
        assert killer.dead
        connection.close()
        desk.later(seconds=25)
        with suppress(DuplicatePartnerOrder):
            desk.submit(quote, partner_order_id="shop-1")
        _drive(desk)
    order = Order.objects.get()
    case = ReviewCase.objects.first()
    return order, (
        f"{order.state} {order.status_reason} {trade_of(order).state} {case.reason if case else ''}",
        books.lines(),
        books.balances(),
        books.path(order.reference),
        books.topics(order.reference),
    )


def _drive(desk: Desk) -> None:
    """Drive until the order has ended or waits for people."""
    for _ in range(15):
        desk.drive(passes=1)
        if Order.objects.get().state in ("processed", "failed", "compensated", "manual_review"):
            return


@pytest.mark.parametrize("name", COURSES)
def test_books_are_whole_when_the_process_dies_at_any_point(
    name: str, desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = COURSES[name]
    scout = Killer(at=None)
    order, undisturbed = _lived(course, scout, desk, monkeypatch)
    assert order.state == course.ends_in
    assert len(scout.points) >= 20

    reviewed: list[str] = []
    for at, point in list(enumerate(scout.points))[_first(course, scout.points) :]:
        flush()
        desk = open_desk(desk.wallet, desk.clock)
        killer = Killer(at=at)
        order, ended = _lived(course, killer, desk, monkeypatch)
        place = (name, at, point)
        assert killer.dead, place
        asks = Counter(key for kind, key in desk.wallet.calls if kind == "ask")
        assert set(asks.values()) <= {1}, (place, asks)
        if ended[0] == undisturbed[0]:
            assert ended == undisturbed, place
        else:
            reviewed.append(point)
            reviewed_with_books_unchanged(order, undisturbed, desk, place)
    assert len(reviewed) <= _NOT_SENT * 2, reviewed


def _first(course: Course, points: list[str]) -> int:
    point, occurrence = course.first
    return [at for at, found in enumerate(points) if found == point][occurrence - 1]


_NOT_SENT = 2
"""Points at which a leg is claimed but not sent: after the claim's commit, and before the call. Two legs at most."""


def reviewed_with_books_unchanged(order: Order, undisturbed: Ends, desk: Desk, place: object) -> None:
    """A leg was claimed and surely not applied: nobody knows, people decide; the books stand where they stood."""
    assert order.state == "manual_review", place
    operation = RemoteOperation.objects.get(owner=order.reference, state__in=["unknown", "absent"])
    assert operation.key not in desk.wallet.applied, place
    assert operation.asks == 1, place
    stood = ["TRADE_RESERVE"]
    if operation.leg == "reverse":
        stood += ["ORDER_DEBIT_CONFIRMED", "TRADE_RELEASE"]
    expected = Counter({line: count for line, count in undisturbed[1].items() if line[0] in [*stood, "POOL_FUNDING"]})
    assert books.lines() == expected, place
    assert order.status_reason == f"{operation.leg}_unknown", place


def test_every_side_of_every_remote_call_and_commit_is_among_the_points(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    scout = Killer(at=None)
    _lived(COURSES["compensation unknown, found"], scout, desk, monkeypatch)
    found = Counter(scout.points)
    assert found["before ask"] == found["after ask"] == 2
    assert found["before lookup"] == found["after lookup"] == 1
    assert found["before commit"] == found["after commit"] == 13
    assert found["before UPDATE orders_sagarun"] == found["after UPDATE orders_sagarun"] >= 3
