"""Plain buys that one worker takes together end as each does by itself; what is not plain falls out and goes singly."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from threading import Timer
from typing import Any, cast

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.db import transaction as db_transaction

from ledger.controls import drains
from ledger.controls.moves import StaleVersion
from ledger.models import Move
from ledger.models import Transaction as LedgerTransaction
from orders.models import Order, Pool, SagaRun
from orders.operations import freeze_order, halt_pool
from orders.sagas import crew, runner, together
from orders.sagas.batch import Batch, Submit
from tests.orders import books
from tests.orders.desk import Desk, reloaded, trade_of
from tests.orders.test_crashes import Killed, Killer, killing
from tests.orders.wallet import ScriptedWallet, declined, lost_after, true_state
from wallets.first_asks import Answer
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Breaker, Gateway, RemoteAttempt, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")

_TOKEN = "t" * 32


def _at_once(ask: Callable[[], Answer]) -> "Future[Answer]":
    answered: Future[Answer] = Future()
    answered.set_result(ask())
    return answered


def _together(turns: int = 2) -> list[str]:
    """Claim what is due as a worker does and take it as far as it goes; return what goes singly."""
    batch = Batch(token=_TOKEN, threads=8)
    singly = batch.take(runner._claim(32, token=_TOKEN))
    for _ in range(turns):
        singly += batch.turn(_at_once)
    return singly + batch.close()


def _story(order: Order) -> tuple[Any, ...]:
    """Everything that an order leaves behind, whatever its references are called."""
    operation = RemoteOperation.objects.get(owner=order.reference)
    subjects = (order.reference, trade_of(order).reference, operation.reference)
    return (
        [
            list(
                Move.objects.filter(subject=subject)
                .order_by("sequence")
                .values_list("sequence", "from_state", "to_state", "actor", "cause")
            )
            for subject in subjects
        ],
        [books.topics(subject) for subject in subjects],
        books.lines(subject=order.reference),
        list(RemoteAttempt.objects.filter(operation_id=operation.pk).values_list("number", "kind", "outcome", "late")),
        (operation.state, operation.asks, operation.lookups, operation.lease_token, operation.lease_until),
        (order.state, order.status_reason, order.version, order.ended_at is not None),
    )


def _shown(orders: Sequence[Order]) -> list[tuple[Any, ...]]:
    return [_story(reloaded(order)) for order in orders]


def test_what_goes_together_leaves_behind_what_each_leaves_singly(desk: Desk) -> None:
    first = desk.order("20.00", user="anna")
    drains.drain("sagas")
    (alone,) = _shown([first])
    orders = [desk.order("20.00", user=f"user-{n}") for n in range(3)]
    assert _together() == []
    for story in _shown(orders):
        assert [story[place] for place in (0, 1, 3, 4, 5)] == [alone[place] for place in (0, 1, 3, 4, 5)]
        assert sum(story[2].values()) == sum(alone[2].values())
        assert {line[:2] for line in story[2]} == {line[:2] for line in alone[2]}
    assert not SagaRun.objects.exists()
    assert [kind for kind, _ in desk.wallet.calls] == ["ask"] * 4


def test_each_of_a_batch_keeps_its_own_request_id(desk: Desk) -> None:
    orders = [desk.order("20.00", user=f"user-{n}") for n in range(2)]
    for n, order in enumerate(orders):
        Order.objects.filter(pk=order.pk).update(request_id=f"req_of_{n}")
    assert _together() == []
    for n, order in enumerate(orders):
        operation = RemoteOperation.objects.get(owner=order.reference)
        assert RemoteAttempt.objects.get(operation_id=operation.pk).request_id == f"req_of_{n}"
        moves = Move.objects.filter(subject__in=[order.reference, operation.reference], sequence__gt=1)
        assert set(moves.values_list("request_id", flat=True)) == {f"req_of_{n}"}
        posted = LedgerTransaction.objects.filter(subject=order.reference).exclude(event_type="TRADE_RESERVE")
        assert set(posted.values_list("request_id", flat=True)) == {f"req_of_{n}"}


def _halted(desk: Desk, order: Order) -> None:
    with db_transaction.atomic():
        pool = Pool.objects.get(code="EUR-ETH")
        halt_pool.halt_pool(pool=pool, reason="a drill", actor="user:lea", now=desk.clock.now())


def _frozen(desk: Desk, order: Order) -> None:
    with db_transaction.atomic():
        freeze_order.freeze_order(
            order_reference=order.reference, reason="a drill", actor="user:lea", now=desk.clock.now()
        )


def _out_of_time(desk: Desk, order: Order) -> None:
    Order.objects.filter(pk=order.pk).update(execute_by=desk.clock.now())
    desk.later(seconds=1)


def _declined(desk: Desk, order: Order) -> None:
    desk.wallet.script = [_only(order, declined)]


def _silent(desk: Desk, order: Order) -> None:
    desk.wallet.script = [_only(order, lost_after)]


def _only(order: Order, step: Callable[[ScriptedWallet, str, RemoteRequest], Reply]) -> Any:
    def answer(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        chosen = step if request.owner == order.reference and kind == "ask" else true_state
        return chosen(wallet, kind, request)

    return answer


@pytest.mark.parametrize(
    ("odd", "pool", "user", "ends_in"),
    [
        (_declined, "EUR-USDT", "alice", "failed"),
        (_silent, "EUR-USDT", "alice", "processed"),
        (_halted, "EUR-ETH", "alice", "failed"),
        (_frozen, "EUR-USDT", "alice", "queued"),
        (_out_of_time, "EUR-USDT", "alice", "failed"),
        (None, "EUR-ETH", "magic-halt", "compensated"),
    ],
)
def test_what_is_not_plain_falls_out_and_holds_up_no_other(
    desk: Desk, odd: Callable[[Desk, Order], None] | None, pool: str, user: str, ends_in: str
) -> None:
    strange = desk.order("20.00", user=user, pool=pool)
    plain = [desk.order("20.00", user=f"user-{n}") for n in range(2)]
    if odd is not None:
        odd(desk, strange)
    assert _together() == [strange.reference]
    assert [reloaded(order).state for order in plain] == ["processed"] * 2
    desk.later(minutes=1)
    desk.drive(passes=10)
    assert reloaded(strange).state == ends_in
    assert [kind for kind, key in desk.wallet.calls if key == f"{strange.reference}:debit:v1"].count("ask") <= 1


def test_one_that_does_not_stand_takes_its_step_from_all_and_each_then_goes_singly(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = [desk.order("20.00", user=f"user-{n}") for n in range(3)]

    def stale(*_: object, **__: object) -> None:
        raise StaleVersion

    with monkeypatch.context() as patch:
        patch.setattr(together, "_settlement", stale)
        assert sorted(_together()) == sorted(order.reference for order in orders)
    assert [reloaded(order).state for order in orders] == ["operator_debited"] * 3
    desk.later(minutes=1)
    drains.drain("sagas")
    assert [reloaded(order).state for order in orders] == ["processed"] * 3
    assert [kind for kind, _ in desk.wallet.calls] == ["ask"] * 3


def test_no_more_are_asked_at_once_than_the_gateway_takes(desk: Desk) -> None:
    Gateway.objects.update(concurrency=2)
    for n in range(5):
        desk.order("20.00", user=f"user-{n}")
    waiting: list[Future[Answer]] = []

    def later(ask: Callable[[], Answer]) -> "Future[Answer]":
        future: Future[Answer] = Future()
        waiting.append(future)
        future.ask = ask  # type: ignore[attr-defined]
        return future

    batch = Batch(token=_TOKEN, threads=8)
    assert batch.take(runner._claim(32, token=_TOKEN)) == []
    asked = []
    for _ in range(4):
        assert batch.turn(later) == []
        asked.append(len(waiting))
        for future in waiting:
            future.set_result(future.ask())  # type: ignore[attr-defined]
        waiting.clear()
    assert asked == [2, 2, 1, 0]
    assert Order.objects.filter(state="processed").count() == 5


def test_no_more_are_claimed_at_once_than_there_are_threads_to_ask(desk: Desk) -> None:
    """What is claimed and waits for a thread would lose its time to `Not-After`."""
    for n in range(5):
        desk.order("20.00", user=f"user-{n}")
    batch = Batch(token=_TOKEN, threads=2)
    batch.take(runner._claim(32, token=_TOKEN))
    unanswered: Callable[[Callable[[], Answer]], Future[Answer]] = lambda ask: Future()  # noqa: E731
    for _ in range(2):
        assert batch.turn(unanswered) == []
    assert sorted(RemoteOperation.objects.values_list("state", flat=True)) == ["asked"] * 2 + ["prepared"] * 3


def test_a_gateway_that_fails_is_asked_by_one_probe_alone(desk: Desk) -> None:
    for n in range(3):
        desk.order("20.00", user=f"user-{n}")
    first = desk.order("20.00", user="first")
    Breaker.objects.create(gateway_id=Gateway.objects.get().pk, open_until=desk.clock.now(), openings=1)
    assert len(_together()) == 4
    assert desk.wallet.calls == []
    assert reloaded(first).state == "operator_debit_pending"


def test_a_worker_killed_at_any_point_leaves_nothing_that_does_not_end(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        desk.order("20.00")
    scout = Killer(at=None)
    with killing(scout, desk.wallet, monkeypatch):
        assert _together() == []
    assert scout.points.count("before commit") == 6, "one for each step, however many orders"
    for at, point in enumerate(scout.points):
        desk.wallet.calls.clear()
        orders = [desk.order("20.00") for _ in range(2)]
        killer = Killer(at=at)
        with suppress(Killed, DatabaseError), killing(killer, desk.wallet, monkeypatch):
            _together()
        assert killer.dead, point
        connection.close()
        desk.later(seconds=31)
        for _ in range(8):
            desk.drive(passes=1)
            if all(reloaded(order).state in ("processed", "manual_review") for order in orders):
                break
        asks = [key for kind, key in desk.wallet.calls if kind == "ask"]
        assert len(asks) == len(set(asks)), (at, point)
        for order in orders:
            happened = f"{order.reference}:debit:v1" in desk.wallet.applied
            ends_in = "processed" if happened else "manual_review"  # claimed and never sent: nobody knows
            assert reloaded(order).state == ends_in, (at, point)


@pytest.mark.parametrize(
    "off", [(), ("hashagg", "sort", "material"), ("hashjoin", "mergejoin", "hashagg", "sort", "material")]
)
def test_no_plan_of_the_server_claims_more_than_was_wanted(off: tuple[str, ...], desk: Desk) -> None:
    """A limit beneath a join is asked again for each row of the other side: what it has locked it skips, and takes the next."""
    for number in range(5):
        desk.order("20.00", user=f"user-{number}")
    with db_transaction.atomic(), connection.cursor() as cursor:
        for way in off:
            cursor.execute(f"SET LOCAL enable_{way} = off")
        assert len(runner._claim(2, token=_TOKEN)) == 2
    assert SagaRun.objects.filter(lease_token=_TOKEN).count() == 2


def test_a_crew_leaves_what_is_newly_due_to_another_at_work_until_it_has_waited(desk: Desk) -> None:
    for number in range(3):
        desk.order("20.00", user=f"user-{number}")
    other, mine = "o" * 32, _TOKEN
    assert not runner._is_left_to_another(token=mine), "nobody else is at work"
    runner._claim(1, token=other)
    assert runner._is_left_to_another(token=mine)
    assert not runner._is_left_to_another(token=other)
    desk.later(milliseconds=251)
    assert not runner._is_left_to_another(token=mine), "the other did not come"
    assert len(runner._claim(32, token=mine)) == 2


def test_a_saga_has_waited_when_nobody_has_taken_it_for_so_long(desk: Desk) -> None:
    desk.order("20.00")
    assert not runner.has_waited(2.0)
    desk.later(seconds=2)
    assert runner.has_waited(2.0)
    runner._claim(1, token=_TOKEN)
    assert not runner.has_waited(2.0)


def test_what_one_saga_raises_costs_no_other_its_answer() -> None:
    """The crew's shift ends by it, when all that were being asked have been written down."""
    asked: Future[Answer] = Future()

    class InFlight:
        room = 32
        asking = {asked}

        def take(self, claimed: Mapping[str, int]) -> list[str]:
            return list(claimed)

        def turn(self, submit: Submit) -> list[str]:
            self.asking = {one for one in self.asking if not one.done()}
            return []

        def close(self) -> list[str]:
            return []

    def dies(reference: str) -> None:
        Timer(0.2, asked.set_result, [cast(Answer, None)]).start()
        raise OperationalError(reference)

    batch = InFlight()
    with pytest.raises(OperationalError, match="ord_1"):
        crew.keep_busy(lambda _: {"ord_1": 0}, dies, cast(Batch, batch))
    assert (asked.done(), batch.asking) == (True, set())
