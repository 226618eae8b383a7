"""The doorbell: coalesces, may be lost, and never holds anybody up."""

import socket
import time
from collections.abc import Iterator

import pytest
import redis
from pytest_django.fixtures import Settings

from config.celery import app
from ledger import tasks
from ledger.controls import bell, drains


@pytest.fixture
def fresh_client(settings: Settings) -> Iterator[Settings]:
    tasks._redis.cache_clear()
    yield settings
    tasks._redis.cache_clear()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, object]]]:
    """What would go to the broker."""
    found: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr(
        tasks.drain_kind, "apply_async", lambda kwargs, **options: found.append((kwargs["kind"], options))
    )
    return found


@pytest.fixture
def redis_client(valkey: str, fresh_client: Settings) -> Iterator[redis.Redis]:
    fresh_client.REDIS_URL = valkey
    client = redis.Redis.from_url(valkey)
    client.delete("holdfast:bell:sagas", "holdfast:bell:relay")
    yield client
    client.delete("holdfast:bell:sagas", "holdfast:bell:relay", "celery")


def test_at_most_one_bell_per_kind_waits(
    redis_client: redis.Redis, sent: list[tuple[str, dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    doorbell = tasks.CeleryBell()
    for _ in range(100):
        doorbell.ring("sagas")
        doorbell.ring("relay")
    assert [kind for kind, _ in sent] == ["sagas", "relay"]
    assert all(options == {"expires": 10, "retry": False} for _, options in sent)
    assert 0 < int(redis_client.ttl("holdfast:bell:sagas")) <= 10


def test_a_row_that_is_due_after_the_drain_began_rings_again(
    redis_client: redis.Redis, sent: list[tuple[str, dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    doorbell = tasks.CeleryBell()
    doorbell.ring("sagas")

    def drain(kind: str, *, for_seconds: float) -> int:
        doorbell.ring(kind)  # as a commit that the drain no longer sees
        return 1

    monkeypatch.setattr(drains, "drain", drain)
    tasks.drain_kind(kind="sagas")
    assert [kind for kind, _ in sent] == ["sagas", "sagas"]


def test_a_bell_reaches_the_broker_once(
    redis_client: redis.Redis, valkey: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with app.connection_for_write(valkey) as connection:
        monkeypatch.setattr(app, "producer_or_acquire", lambda *_: app.amqp.Producer(connection))
        tasks.CeleryBell().ring("relay")
        tasks.CeleryBell().ring("relay")
    assert redis_client.llen("celery") == 1


@pytest.mark.usefixtures("fresh_client")
def test_with_redis_gone_a_ring_neither_raises_nor_stalls(settings: Settings) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    doorbell = tasks.CeleryBell()
    began = time.monotonic()
    for _ in range(50):
        doorbell.ring("sagas")
    assert time.monotonic() - began < 0.1


@pytest.mark.usefixtures("fresh_client")
def test_with_redis_hanging_a_ring_neither_raises_nor_stalls(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        doorbell = tasks.CeleryBell()
        began = time.monotonic()
        for _ in range(50):
            doorbell.ring("sagas")
        assert time.monotonic() - began < 0.1
        tasks._answer("sagas")
        assert time.monotonic() - began < 0.2


def test_a_task_stays_while_there_is_work_and_rings_at_its_rest_send_no_message(
    redis_client: redis.Redis, sent: list[tuple[str, dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    doorbell = tasks.CeleryBell()
    rounds = iter([3, 2, 0])
    held: list[int] = []

    def rest(seconds: float) -> None:
        if seconds:
            doorbell.ring("sagas")
            held.append(int(redis_client.pttl("holdfast:bell:sagas")))

    monkeypatch.setattr(drains, "drain", lambda kind, *, for_seconds: next(rounds))
    monkeypatch.setattr(tasks, "_rests_until", {})
    monkeypatch.setattr("time.sleep", rest)
    tasks.drain_kind(kind="sagas")
    assert next(rounds, "none is left") == "none is left"
    assert len(held) == 2
    assert all(0 < milliseconds <= 1000 for milliseconds in held)  # one that dies at rest is not silent for long
    assert sent == []
    doorbell.ring("sagas")
    assert [kind for kind, _ in sent] == ["sagas"]


def test_a_task_leaves_when_another_kind_waits(
    redis_client: redis.Redis, sent: list[tuple[str, dict[str, object]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    doorbell = tasks.CeleryBell()
    rounds: list[str] = []

    def drain(kind: str, *, for_seconds: float) -> int:
        rounds.append(kind)
        doorbell.ring("relay")
        return 1

    monkeypatch.setattr(drains, "drain", drain)
    tasks.drain_kind(kind="sagas")
    assert rounds == ["sagas"]
    assert [kind for kind, _ in sent] == ["relay"]


def test_a_task_that_ran_out_of_time_rings_for_the_rest(
    redis_client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(bell, "_installed", type("Bell", (), {"ring": lambda _, kind: rung.append(kind)})())
    monkeypatch.setattr(tasks, "_DRAIN_SECONDS", 0.0)
    monkeypatch.setattr(drains, "drain", lambda kind, *, for_seconds: 5)
    tasks.drain_kind(kind="sagas", added_later="is ignored")
    assert rung == ["sagas"]
