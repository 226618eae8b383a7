"""Workers that sleep at the wrong moment: they never send what nobody waits for, and their late answers are evidence."""

import threading
import time
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from ledger.controls import clock, drains
from orders.models import Order
from orders.operations import review_case
from orders.sagas import buy
from orders.sagas.progress import MOVED
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.wallet import ScriptedWallet, lost_before, server_error, true_state
from tests.threads import run_threads
from wallets import remote_operations
from wallets.claiming import Claimed
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Gateway, RemoteAttempt, RemoteOperation
from wallets.outcomes import Cause, Confirmed, Unknown
from wallets.remote_operations import look_up

pytestmark = pytest.mark.usefixtures("database")

Wake = Callable[[Claimed], Claimed]


def _decide(desk: Desk, resolution: str) -> None:
    case = open_case(_the_order(desk))
    decided = review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution=resolution,
        reason="as the lookups show",
        actor="user:ops",
        now=clock.now(),
    )
    assert decided.resolved


def _the_order(desk: Desk) -> Order:
    return Order.objects.get()


def _sleep_between_claim_and_send(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, *, meanwhile: Callable[[], None], wake: Wake
) -> list[str]:
    """Have the first worker that has claimed a question sleep while others do `meanwhile`."""
    slept: list[str] = []
    question = remote_operations._question

    def sleepy(claimed: Claimed) -> remote_operations.Performed:
        if slept:
            return question(claimed)
        slept.append(claimed.operation.key)
        meanwhile()
        return question(wake(claimed))

    monkeypatch.setattr(remote_operations, "_question", sleepy)
    return slept


def _fail_through_review(desk: Desk) -> Callable[[], None]:
    def meanwhile() -> None:
        desk.later(minutes=30)  # the lease and the horizon run out
        desk.drive(passes=12)  # another worker looks up, and gives the order to people
        assert reloaded(_the_order(desk)).state == "manual_review"
        _decide(desk, "debit_absent")

    return meanwhile


@pytest.mark.parametrize(
    ("wake", "asks"),
    [
        pytest.param(lambda claimed: claimed, 0, id="its own clock tells it that its time is over"),
        pytest.param(
            lambda claimed: replace(claimed, started=clock.monotonic()), 1, id="the wallet refuses by Not-After"
        ),
    ],
)
def test_nothing_moves_when_a_worker_sleeps_between_claim_and_send_until_its_order_has_failed(
    wake: Wake, asks: int, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = desk.order()
    slept = _sleep_between_claim_and_send(desk, monkeypatch, meanwhile=_fail_through_review(desk), wake=wake)
    drains.drain("sagas")
    assert slept == [f"{order.reference}:debit:v1"]
    assert [kind for kind, _ in desk.wallet.calls].count("ask") == asks
    assert desk.wallet.applied == {}
    assert (reloaded(order).state, reloaded(order).status_reason) == ("failed", "debit_absent")
    assert books.moved(order.reference).total() == 0
    assert RemoteOperation.objects.get().state == "absent"
    last = RemoteAttempt.objects.order_by("-number")[0]
    assert (last.kind, last.late) == ("ask", True)
    desk.drive(passes=3)
    assert books.path(order.reference)[-1] == "failed"


def test_confirmation_of_a_lost_lease_is_evidence_and_moves_no_money_by_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ask is applied at once, its answer comes after others have given the order to people."""
    order = desk.order()
    ask = desk.wallet.ask

    def slow(request: RemoteRequest, **options: object) -> object:
        reply = ask(request, **options)  # type: ignore[arg-type]  # passed on as it came
        desk.wallet.legs["debit"] = [server_error]
        desk.later(minutes=5)
        desk.drive(passes=8)
        assert reloaded(order).state == "manual_review"
        return reply

    monkeypatch.setattr(desk.wallet, "ask", slow)
    before = books.balances()
    drains.drain("sagas")
    operation = RemoteOperation.objects.get()
    assert (operation.state, operation.asks) == ("confirmed", 1)
    assert RemoteAttempt.objects.get(kind="ask").late
    assert reloaded(order).state == "manual_review"
    assert books.balances() == before
    _decide(desk, "debit_proven")
    desk.drive(passes=1)
    assert reloaded(order).state == "processed"
    assert [kind for kind, _ in desk.wallet.calls].count("ask") == 1


def test_late_confirmation_is_evidence_and_leaves_a_failed_order_failed(desk: Desk) -> None:
    """The wallet applies after all, past every horizon: the operation says so; the order, ended, stays as it is."""
    desk.wallet.script = [lost_before, None]
    order = desk.order()
    desk.drive(passes=12)
    _decide(desk, "debit_absent")
    operation = RemoteOperation.objects.get()
    assert operation.state == "absent"
    before = books.balances()
    desk.wallet.applied[operation.key] = RemoteRequest(operation.key, "debit", "EUR", 10_000, "100.00", "alice", "")
    assert look_up(operation.key) == Confirmed(f"w-{operation.key}")
    desk.drive(passes=3)
    assert RemoteOperation.objects.get().state == "confirmed"
    assert (reloaded(order).state, reloaded(order).version) == ("failed", 5)
    assert books.balances() == before


def test_worker_that_slept_before_its_claim_asks_nothing_for_an_order_that_has_failed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway resubmits what is absent; but only while the order's state still waits for it."""
    Gateway.objects.update(requery_cap=1, not_found_horizon_ms=1_000)
    desk.wallet.script = [lost_before, None]
    order = desk.order()
    stale: list[Order] = []
    advance = buy.advance

    def watched(order, **_: object):  # type: ignore[no-untyped-def]  # as advance
        if order.state == "operator_debit_pending" and not stale:
            stale.append(order)
        return advance(order)

    monkeypatch.setattr("orders.sagas.runner.buy.advance", watched)
    desk.drive(passes=4)
    _decide(desk, "debit_absent")
    assert RemoteOperation.objects.get().state == "absent"
    Gateway.objects.update(resubmit=True, requery_cap=9)
    calls = list(desk.wallet.calls)
    desk.later(minutes=1)
    assert advance(stale[0]) == MOVED
    assert desk.wallet.calls == calls
    assert desk.wallet.applied == {}
    assert reloaded(order).state == "failed"


def test_two_workers_with_the_same_order_ask_once_when_the_first_is_slow(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the lease lasts nobody else asks or looks up: the second waits for as long as the lease lasts."""
    order = desk.order()

    def slow(wallet, kind, request):  # type: ignore[no-untyped-def]  # a step
        desk.later(seconds=4)
        performed = remote_operations.perform(buy.debit_leg(order), waits=lambda: True)
        assert performed.outcome.cause == "in_flight"  # type: ignore[union-attr]  # an Unknown
        assert performed.wait == timedelta(seconds=11)
        return true_state(wallet, kind, request)

    desk.wallet.script = [slow]
    desk.drive(passes=1)
    assert reloaded(order).state == "processed"
    assert len(desk.wallet.calls) == 1


def test_absence_is_counted_from_before_the_wait_for_the_row(
    desk: Desk, application_connection: psycopg.Connection[Any]
) -> None:
    """The lookup came before the horizon; that its row was locked until after it proves nothing about the wallet."""
    Gateway.objects.update(not_found_horizon_ms=60_000)
    desk.wallet.legs["debit"] = [lost_before, None]
    order = desk.order()
    drains.drain("sagas")
    key = RemoteOperation.objects.get().key
    desk.later(seconds=30)
    claimed = threading.Event()

    def looked_up(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        application_connection.execute("BEGIN")
        application_connection.execute("SELECT FROM wallets_remoteoperation FOR UPDATE")
        claimed.set()
        return true_state(wallet, kind, request)

    def release() -> None:
        assert claimed.wait(10)
        for _ in range(500):
            waiting = RemoteOperation.objects.raw("SELECT 1 AS id FROM pg_locks WHERE NOT granted")
            if len(waiting):
                break
            time.sleep(0.01)
        desk.later(minutes=2)
        application_connection.execute("COMMIT")

    desk.wallet.legs["debit"] = [looked_up]
    context = copy_context()
    ends = run_threads(lambda: context.run(look_up, key), release)
    assert ends == [Unknown(Cause.NOT_FOUND), None]
    operation = RemoteOperation.objects.get()
    assert (operation.state, operation.unknown_cause) == ("unknown", "not_found")
    assert reloaded(order).state == "operator_debit_pending"
