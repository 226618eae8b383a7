"""The remote door: a circuit that all workers share, a limit on what runs at once, pauses, and every attempt kept."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db import transaction as db_transaction
from pytest_django.fixtures import Settings

from ledger.controls import clock, drains, metrics
from ledger.controls.clock import DatabaseClock, FixedClock
from orders.models import Order
from orders.sagas import buy
from orders.sagas.progress import Wait
from tests.orders import books
from tests.orders.desk import Desk, open_case, open_desk, reloaded
from tests.orders.wallet import ScriptedWallet, declined, lost_before, pending, server_error, true_state
from tests.sandbox import RunningSandbox
from wallets import pauses, remote_operations
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Breaker, Gateway, RemoteAttempt, RemoteOperation
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown
from wallets.remote_operations import Performed, perform

pytestmark = pytest.mark.usefixtures("database")

_SECRET = "whsec_" + "A" * 32


def _prepared(desk: Desk, number: int) -> list[Order]:
    """Orders whose debit is written down and not asked."""
    orders = [desk.order("100.00", user=f"user-{place}") for place in range(number)]
    for order in orders:
        buy.advance(order)
        buy.advance(reloaded(order))
        assert reloaded(order).state == "operator_debit_pending"
    return [reloaded(order) for order in orders]


def _asked(order: Order) -> Performed:
    return perform(buy.debit_leg(order), waits=lambda: True)


def _open_circuit(desk: Desk, orders: Sequence[Order]) -> None:
    Gateway.objects.update(breaker_failures=len(orders))
    desk.wallet.script = [server_error]
    for order in orders:
        _asked(order)
    assert Breaker.objects.get().open_until == desk.clock.now() + timedelta(seconds=10)


# --- the circuit breaker ----------------------------------------------------------------------------------


def test_nothing_is_asked_while_the_circuit_is_open_and_one_probe_closes_it(desk: Desk) -> None:
    first, second, third, fourth = _prepared(desk, 4)
    _open_circuit(desk, [first, second])
    calls = list(desk.wallet.calls)
    held = _asked(third)
    assert held == Performed(Unknown(Cause.NOT_ASKED), wait=timedelta(seconds=10))
    assert _asked(first) == Performed(Unknown(Cause.SERVER_ERROR), wait=timedelta(seconds=10)), "nor looked up"
    assert desk.wallet.calls == calls
    assert RemoteOperation.objects.get(owner=third.reference).state == "prepared"

    desk.later(seconds=11)
    probed: list[Performed] = []

    def while_it_probes(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        probed.append(_asked(fourth))
        return true_state(wallet, kind, request)

    desk.wallet.script = [while_it_probes, None]
    assert isinstance(_asked(third).outcome, Confirmed)
    assert [one.outcome for one in probed] == [Unknown(Cause.NOT_ASKED)], "one question at a time"
    assert len(desk.wallet.calls) == len(calls) + 1
    breaker = Breaker.objects.get()
    assert (breaker.failures, breaker.open_until, breaker.probe_until) == (0, None, None)
    assert isinstance(_asked(fourth).outcome, Confirmed)


def test_the_circuit_stays_open_twice_as_long_after_each_probe_that_fails(desk: Desk) -> None:
    orders = _prepared(desk, 2)
    _open_circuit(desk, orders)
    for seconds in (20, 40, 80, 160, 320, 320):
        desk.later(seconds=400)
        _asked(orders[0])
        assert Breaker.objects.get().open_until == desk.clock.now() + timedelta(seconds=seconds)
    assert Breaker.objects.get().openings == 7


def test_another_probe_is_let_in_when_the_prober_died(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = _prepared(desk, 2)
    _open_circuit(desk, [first])
    desk.later(seconds=11)

    def killed(*_: object) -> Performed:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(remote_operations, "_question", killed)
        with pytest.raises(KeyboardInterrupt):
            _asked(second)
    assert _asked(first).wait == timedelta(seconds=15), "the lease of the dead"
    desk.later(seconds=16)
    desk.wallet.script = [None]
    _asked(first)
    assert Breaker.objects.get().open_until is None


@pytest.mark.parametrize(
    ("step", "pause", "opens"),
    [
        pytest.param(server_error, 0, True, id="errors in a row"),
        pytest.param(lost_before, 0, True, id="timeouts in a row"),
        pytest.param(server_error, 40, False, id="not within the window"),
        pytest.param(declined, 0, False, id="a refusal is an answer"),
        pytest.param(pending, 0, False, id="still working is an answer"),
    ],
)
def test_the_circuit_opens_by_failures_in_a_row_within_the_window(
    step: Any, pause: int, opens: bool, desk: Desk
) -> None:
    Gateway.objects.update(breaker_failures=3)
    orders = _prepared(desk, 3)
    desk.wallet.script = [step]
    for order in orders:
        _asked(order)
        desk.later(seconds=pause)
    assert Breaker.objects.filter(open_until__isnull=False).exists() is opens


def test_an_answer_between_failures_starts_the_count_anew(desk: Desk) -> None:
    Gateway.objects.update(breaker_failures=3)
    orders = _prepared(desk, 5)
    for order, step in zip(orders, [server_error, server_error, None, server_error, server_error], strict=True):
        desk.wallet.script = [step]
        _asked(order)
    breaker = Breaker.objects.get()
    assert (breaker.failures, breaker.open_until) == (2, None)


def test_order_reaches_people_in_time_though_its_lookups_are_held_back(desk: Desk) -> None:
    """The circuit never closes; what was asked does not wait for ever for its three lookups."""
    order = desk.order()
    Gateway.objects.update(breaker_failures=1, breaker_open_ms=3_600_000)
    desk.wallet.script = [server_error]
    desk.drive(passes=1, pause=timedelta(seconds=20))
    assert reloaded(order).state == "operator_debit_pending"
    assert len(desk.wallet.calls) == 1
    desk.drive(passes=4, pause=timedelta(seconds=20))
    assert (reloaded(order).state, reloaded(order).status_reason) == ("manual_review", "debit_unknown")
    assert len(desk.wallet.calls) == 1
    assert open_case(order).reason == "debit_unknown"


def test_a_person_looks_up_though_the_circuit_is_open_and_the_answer_closes_it(desk: Desk) -> None:
    (order,) = _prepared(desk, 1)
    _open_circuit(desk, [order])
    key = buy.debit_leg(order).key
    calls = len(desk.wallet.calls)
    assert remote_operations.look_up(key) == Unknown(Cause.SERVER_ERROR)
    assert len(desk.wallet.calls) == calls
    desk.wallet.script = [None]
    assert remote_operations.look_up(key, by_hand=True) == Unknown(Cause.NOT_FOUND)
    assert Breaker.objects.get().open_until is None


def test_the_circuit_of_one_operator_is_not_anothers(desk: Desk) -> None:
    (order,) = _prepared(desk, 1)
    _open_circuit(desk, [order])
    other = open_desk(desk.wallet, desk.clock, slug="other")
    desk.wallet.script = [None]
    (others,) = _prepared(other, 1)
    assert isinstance(_asked(others).outcome, Confirmed)


# --- the concurrency limit --------------------------------------------------------------------------------


def test_no_more_questions_run_at_once_than_the_gateway_allows(
    desk: Desk, run_threads: Callable[..., Sequence[Any]]
) -> None:
    """Eight workers at one instant: three are let in, five are held back; all are asked once in the end."""
    Gateway.objects.update(concurrency=3)
    orders = _prepared(desk, 8)
    let_in = threading.Semaphore(0)
    go_on = threading.Event()

    def slow(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        let_in.release()
        assert go_on.wait(20)
        return true_state(wallet, kind, request)

    desk.wallet.script = [slow]
    held: list[Performed] = []

    def work(order: Order) -> Callable[[], Performed]:
        def ask() -> Performed:
            with clock.use(desk.clock):
                performed = _asked(order)
            if performed.outcome == Unknown(Cause.NOT_ASKED):
                held.append(performed)
                if len(held) == 5:
                    go_on.set()
            return performed

        return ask

    ended = run_threads(*(work(order) for order in orders))
    assert sorted(type(one.outcome).__name__ for one in ended) == ["Confirmed"] * 3 + ["Unknown"] * 5
    assert len(desk.wallet.calls) == 3
    assert all(one.wait >= timedelta(milliseconds=100) for one in held)
    for order in orders:
        assert isinstance(_asked(order).outcome, Confirmed)
    assert len(desk.wallet.calls) == 8
    assert RemoteOperation.objects.filter(asks=1).count() == 8


def test_a_dead_workers_lease_ends_by_itself_and_makes_room(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    Gateway.objects.update(concurrency=1)
    first, second = _prepared(desk, 2)

    def killed(*_: object) -> Performed:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(remote_operations, "_question", killed)
        with pytest.raises(KeyboardInterrupt):
            _asked(first)
    assert _asked(second).outcome == Unknown(Cause.NOT_ASKED)
    desk.later(seconds=16)
    assert isinstance(_asked(second).outcome, Confirmed)


def test_a_slow_operator_does_not_starve_another(
    database: None, wallet: ScriptedWallet, settings: Settings, run_threads: Callable[..., Sequence[Any]]
) -> None:
    """Real threads: one wallet says nothing until it is let go, and the other's orders pass it by meanwhile.

    One worker of four threads; six orders of the slow operator lie before eight of the quick one. Nothing here is timed:
    the slow one is let go only once the others have ended.
    """
    settings.RATE_SOURCE = "wallets.fixed_rates.FixedRates"
    settings.SAGA_THREADS = 4
    with clock.use(FixedClock(DatabaseClock().now())) as fixed:
        assert isinstance(fixed, FixedClock)
        terms = {"time_limit_ms": 120_000, "concurrency": 2}
        slow = open_desk(wallet, fixed, slug="slow", **terms)
        quick = open_desk(wallet, fixed, slug="quick", **terms)
    wallet.now = None
    let_go = threading.Event()
    silent: list[str] = []

    def silent_for_some(told: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        if request.user_reference.startswith("silent"):
            silent.append(request.key)
            assert let_go.wait(100)
        return true_state(told, kind, request)

    wallet.script = [silent_for_some]
    held_up = [slow.order("20.00", user=f"silent-{place}") for place in range(6)]
    passing = [quick.order("20.00", user=f"user-{place}") for place in range(8)]
    worker = threading.Thread(target=lambda: run_threads(lambda: drains.drain("sagas", for_seconds=1), timeout=110))
    worker.start()
    try:
        pause = threading.Event()
        for _ in range(4_000):
            if Order.objects.filter(pk__in=[one.pk for one in passing], state="processed").count() == len(passing):
                break
            assert worker.is_alive()
            pause.wait(0.02)
        assert Order.objects.filter(pk__in=[one.pk for one in passing], state="processed").count() == len(passing)
        assert len(silent) == 2, "no more of the slow one's than its gateway takes at once"
        assert not Order.objects.filter(pk__in=[one.pk for one in held_up], state="processed").exists()
        Gateway.objects.filter(operator__slug="slow").update(paused_until=clock.now() + timedelta(hours=1))
    finally:
        let_go.set()
        worker.join(110)
    assert not worker.is_alive()
    keys = [buy.debit_leg(order).key for order in held_up]
    assert RemoteOperation.objects.filter(key__in=keys, state="prepared").count() == 4


# --- pauses, schedules, what is kept ----------------------------------------------------------------------


def test_a_paused_order_waits_with_few_claims_and_goes_on_when_the_pause_is_lifted(desk: Desk) -> None:
    with db_transaction.atomic():
        pauses.pause_gateway(
            operator_slug="acme",
            environment="test",
            reason="their maintenance",
            lasts=timedelta(hours=1),
            actor="user:lena",
            now=desk.clock.now(),
        )
    (order,) = _prepared(desk, 1)
    progress = buy.advance(order)
    assert progress == Wait(timedelta(seconds=15))
    assert desk.wallet.calls == []
    with db_transaction.atomic():
        pauses.lift_pause(operator_slug="acme", environment="test", actor="user:lena", now=desk.clock.now())
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    assert pauses.current(desk.clock.now()) == []


def test_the_same_key_is_asked_again_once_it_is_proven_absent_when_the_gateway_resubmits(desk: Desk) -> None:
    Gateway.objects.update(resubmit=True, not_found_horizon_ms=1_000)
    desk.wallet.script = [lost_before, None]
    order = desk.order()
    desk.drive(passes=6)
    assert reloaded(order).state == "processed"
    key = f"{order.reference}:debit:v1"
    assert desk.wallet.calls == [("ask", key), ("lookup", key), ("ask", key)]
    assert RemoteOperation.objects.get().asks == 2
    assert books.balances()["operators:acme:due", "EUR"][0] == 10_000


def test_lookups_of_a_pending_debit_count_only_after_its_horizon(desk: Desk) -> None:
    Gateway.objects.update(pending_horizon_ms=300_000, pending_backoff_ms=60_000)
    desk.wallet.script = [pending]
    order = desk.order()
    desk.drive(passes=10, pause=timedelta(seconds=30))
    operation = RemoteOperation.objects.get()
    assert (operation.lookups, operation.counted_lookups) == (4, 0)
    assert reloaded(order).state == "operator_debit_pending"
    desk.drive(passes=10, pause=timedelta(seconds=60))
    assert RemoteOperation.objects.get().counted_lookups == 3
    assert reloaded(order).state == "manual_review"


def test_each_attempt_is_kept_with_its_request_id_its_time_and_what_was_said_without_secrets(
    desk: Desk, sandbox: RunningSandbox
) -> None:
    Gateway.objects.update(adapter="operator_wallet", base_url=sandbox.url, secret=_SECRET)
    desk.clock.move_to(DatabaseClock().now())  # the sandbox's time is the real one
    order = desk.order("100.00", user="magic-error-after.whsec_c2VjcmV0c2VjcmV0")
    desk.drive(passes=2)
    ask, lookup = RemoteAttempt.objects.order_by("number")
    assert ask.question.startswith('POST /debit {"amount":"100.00","asset":"EUR"')
    assert "whsec_c2VjcmV0" not in ask.question
    assert '"user_reference":"magic-error-after.whsec_[redacted]"' in ask.question
    assert (ask.http_status, ask.outcome, ask.detail) == (500, "unknown", "server_error")
    assert "internal_error" in ask.excerpt
    assert lookup.question == f"GET /operations/{order.reference}:debit:v1 "
    assert '"status": "confirmed"' in lookup.excerpt
    sent = sandbox.requests(order.reference)
    assert [row["request_id"] for row in sent] == [ask.request_id, lookup.request_id]
    assert ask.started_at <= lookup.started_at


def test_a_question_that_our_own_guard_refuses_ends_with_people(desk: Desk, settings: Settings) -> None:
    """The address is no longer allowed: nothing is sent, and the order does not wait for ever."""
    settings.OUTBOUND_ALLOW = []
    Gateway.objects.update(adapter="operator_wallet", base_url="http://127.0.0.1:9", secret=_SECRET)
    order = desk.order()
    desk.drive(passes=8)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("manual_review", "debit_unknown")
    assert set(RemoteAttempt.objects.values_list("detail", flat=True)) == {"connection"}


def test_metrics_tell_of_pauses_open_circuits_and_what_is_open(desk: Desk) -> None:
    first, _ = _prepared(desk, 2)
    _open_circuit(desk, [first])
    Gateway.objects.update(paused_until=desk.clock.now() + timedelta(hours=1))
    told = {metric.name: list(metric.collect()) for metric in metrics.registered() if "gateway" in metric.name}
    acme = {"operator": "acme", "environment": "test", "channel": "wallet"}
    assert told == {
        "holdfast_gateway_paused": [(acme, 1)],
        "holdfast_gateway_circuit_open": [(acme, 1)],
        "holdfast_gateway_failures": [(acme, 1)],
        "holdfast_gateway_running": [(acme, 0)],
    }
    (open_,) = (metric for metric in metrics.registered() if metric.name == "holdfast_remote_operations_open")
    assert [(labels["state"], count) for labels, count in open_.collect()] == [("prepared", 1), ("unknown", 1)]


def test_what_was_rejected_stays_so_whatever_the_circuit_says(desk: Desk) -> None:
    first, second = _prepared(desk, 2)
    desk.wallet.script = [declined]
    assert _asked(first).outcome == Rejected("declined")
    _open_circuit(desk, [second])
    assert _asked(first).outcome == Rejected("declined")
    assert replace(_asked(first), outcome=Unknown(Cause.TIMEOUT)).wait == timedelta(0)


def test_gateway_that_takes_no_question_is_refused(desk: Desk) -> None:
    """Zero at once would be a division by zero in the door; a pause is what stops a gateway."""
    gateway = Gateway.objects.get()
    gateway.concurrency = 0
    with pytest.raises(ValidationError) as refused:
        gateway.clean_fields()
    assert list(refused.value.message_dict) == ["concurrency"]
    with pytest.raises(IntegrityError, match="gateway_asks_at_least_one"):
        Gateway.objects.update(concurrency=0)
