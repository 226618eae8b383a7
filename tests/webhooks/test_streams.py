"""Streams in process: state first, each change once and in order, resume, end; many of them, and what goes wrong."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
from django.db import connections
from pytest_django.fixtures import Settings

from ledger.controls import references
from ledger.controls.rest.scopes import Scope
from tests.webhooks.edge import OTHER_OPERATOR, record_events
from tests.webhooks.stream_reader import Reader, caller, register_things, serving
from wallets.models import ApiRequest
from webhooks.streams import application, hub, reading, subjects, wake
from webhooks.streams.application import Application

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _things(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(subjects, "_subjects", dict(subjects._subjects))
    register_things()
    yield
    connections.close_all()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


async def record(thing: str, sequences: range, *, topic: str = "order.processing", **fields: Any) -> list[str]:
    return await asyncio.to_thread(_recorded, thing, sequences, topic, fields)


def _recorded(thing: str, sequences: range, topic: str, fields: dict[str, Any]) -> list[str]:
    try:
        return record_events(thing, sequences, topic=topic, **fields)
    finally:
        connections.close_all()


def new_thing() -> str:
    return references.new(references.Prefix.ORDER)


def path_of(thing: str) -> str:
    return f"/v1/things/{thing}/events"


def test_the_present_state_is_first_then_each_change_until_the_end() -> None:
    async def test() -> None:
        thing = new_thing()
        made = await record(thing, range(1, 4))
        async with serving() as streams:
            reader = Reader(streams, path_of(thing))
            (first,) = await reader.until(1)
            assert (first.id, first.topic, first.sequence) == (made[2], "order.processing", 3)
            assert (reader.status, reader.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
            assert reader.headers["cache-control"] == "no-store"
            assert reader.octets.startswith(b"retry: 2000\n\n")
            made += await record(thing, range(4, 6))
            await record(new_thing(), range(1, 3))
            await record(thing, range(6, 7), topic="review_case.open", public=False)
            await reader.until(3)
            made += await record(thing, range(7, 8), topic="order.processed")
            events = await reader.until_over()
            assert [event.id for event in events] == made[2:]
            assert [event.sequence for event in events] == [3, 4, 5, 7]
            assert events[0].message == {
                "type": "order.processing",
                "timestamp": events[0].message["timestamp"],
                "id": made[2],
                "environment": "test",
                "data": {"order_id": thing, "sequence": 3, "note": "żółw €"},
            }
            assert streams.open_streams == 0

    run(test())


def test_a_stream_that_begins_at_the_end_is_the_end() -> None:
    async def test() -> None:
        thing = new_thing()
        (made,) = await record(thing, range(1, 2), topic="order.processed")
        async with serving() as streams:
            reader = Reader(streams, path_of(thing))
            assert [event.id for event in await reader.until_over()] == [made]
            again = Reader(streams, path_of(thing), last_event_id=made)
            assert await again.until_over() == []
            assert again.status == 204, "an EventSource would come again for ever"

    run(test())


def test_a_resume_has_no_gap_and_no_repeat_wherever_it_broke() -> None:
    async def test() -> None:
        thing = new_thing()
        made = await record(thing, range(1, 8))
        async with serving() as streams:
            for broke in range(7):
                reader = Reader(streams, path_of(thing), last_event_id=made[broke])
                events = await reader.until(6 - broke)
                assert [event.id for event in events] == made[broke + 1 :]
                reader.hang_up()
                await asyncio.wait_for(reader.task, 5)
            made += await record(thing, range(8, 9), topic="order.processed")
            reader = Reader(streams, path_of(thing), last_event_id=made[2])
            assert [event.id for event in await reader.until_over()] == made[3:]

    run(test())


def test_more_than_one_answer_holds_comes_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (reading, hub):
        monkeypatch.setattr(module, "MOST_AT_ONCE", 3)

    async def test() -> None:
        thing = new_thing()
        made = await record(thing, range(1, 12))
        made += await record(thing, range(12, 13), topic="order.processed")
        async with serving() as streams:
            reader = Reader(streams, path_of(thing), last_event_id=made[0])
            assert [event.id for event in await reader.until_over()] == made[1:]

    run(test())


def test_every_stream_that_is_opened_or_refused_has_its_row_in_the_request_log() -> None:
    async def test() -> None:
        thing = new_thing()
        await record(thing, range(1, 2), topic="order.processed")
        callers = {
            "mine": caller(7),
            "other": caller(8, operator_id=OTHER_OPERATOR),
            "none": caller(9, scope=Scope.ORDERS),
        }
        async with serving(callers=callers) as streams:
            for token in ("mine", "other", "none", "nobody"):
                reader = Reader(streams, path_of(thing), authorization=f"Bearer {token}", x_request_id=f"req-{token}")
                await reader.until_over()

    run(test())
    rows = ApiRequest.objects.order_by("id").values_list("key_id", "request_id", "route", "subject", "status", "method")
    route = "/v1/things/{reference}/events"
    assert [(row[0], row[1], row[2], row[4], row[5]) for row in rows] == [
        (7, "req-mine", route, 200, "GET"),
        (8, "req-other", route, 404, "GET"),
        (9, "req-none", route, 403, "GET"),
    ]


@pytest.mark.parametrize("last", ["evt_none", "", "x' OR 1=1", "evt_01kad00f8xm3v6y2q4t5n7w9bz", "another thing's"])
def test_an_unknown_last_event_is_refused(last: str) -> None:
    async def test() -> None:
        thing = new_thing()
        await record(thing, range(1, 2))
        (theirs,) = await record(new_thing(), range(1, 2))
        async with serving() as streams:
            sent = theirs if last == "another thing's" else last
            reader = Reader(streams, path_of(thing), last_event_id=sent)
            if not sent:
                await reader.until(1)
                reader.hang_up()
                return
            await reader.until_over()
            assert (reader.status, reader.problem["code"]) == (400, "malformed_cursor")

    run(test())


def test_another_s_thing_is_not_there_and_a_key_is_needed() -> None:
    callers = {
        "mine": caller(1),
        "theirs": caller(2, operator_id=OTHER_OPERATOR),
        "live": caller(3, environment="live"),
        "writes": caller(4, scope=Scope.WEBHOOKS),
    }

    async def test() -> None:
        thing = new_thing()
        await record(thing, range(1, 2), topic="order.processed")
        async with serving(callers=callers) as streams:
            for key, path, expected in [
                ("mine", path_of(thing), (200, "")),
                ("theirs", path_of(thing), (404, "not_found")),
                ("live", path_of(thing), (404, "not_found")),
                ("writes", path_of(thing), (403, "scope_missing")),
                ("nobody's", path_of(thing), (401, "not_authenticated")),
                ("mine", path_of(new_thing()), (404, "not_found")),
                ("mine", f"/v1/nothings/{thing}/events", (404, "not_found")),
                ("mine", f"/v1/things/{thing}/events/", (404, "not_found")),
                ("mine", "/", (404, "not_found")),
                ("mine", "/livez", (200, "")),
                ("mine", "/readyz", (200, "")),
            ]:
                reader = Reader(streams, path, authorization=f"Bearer {key}")
                await reader.until_over()
                code = reader.problem["code"] if expected[1] else ""
                assert (reader.status, code) == expected, (key, path)
            for changed, status in [({"method": "POST"}, 405), ({"accept": "application/json"}, 406)]:
                reader = Reader(streams, path_of(thing), **changed)
                await reader.until_over()
                assert reader.status == status

    run(test())


def test_three_hundred_streams_ask_together_and_hold_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    questions: list[int] = []
    changes = reading.changes

    def counted(watched: dict[str, int]) -> Any:
        questions.append(len(watched))
        return changes(watched)

    monkeypatch.setattr(reading, "changes", counted)

    async def test() -> None:
        things = [new_thing() for _ in range(150)]
        await asyncio.to_thread(lambda: [_recorded(thing, range(1, 2), "order.queued", {}) for thing in things])
        before = await asyncio.to_thread(_connections)  # what earlier tests' threads keep open is not the streams'
        async with serving() as streams:
            readers = [Reader(streams, path_of(thing)) for thing in things * 2]
            await asyncio.gather(*(reader.until(1) for reader in readers))
            assert streams.open_streams == 300
            assert await asyncio.to_thread(_connections) - before <= application._OPENERS + 1 + 2
            await asyncio.sleep(0.1)
            questions.clear()
            await asyncio.to_thread(lambda: [_recorded(thing, range(2, 4), "order.processing", {}) for thing in things])
            await asyncio.gather(*(reader.until(3) for reader in readers))
            assert len(questions) <= 6, questions
            await asyncio.to_thread(lambda: [_recorded(thing, range(4, 5), "order.processed", {}) for thing in things])
            for reader in readers:
                assert [event.sequence for event in await reader.until_over()] == [1, 2, 3, 4]

    run(test())


def _connections() -> int:
    from django.db import connection

    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = current_user")
            row = cursor.fetchone()
        assert row is not None
        return int(row[0])
    finally:
        connections.close_all()


def test_a_reader_that_takes_nothing_blocks_nobody_and_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "_SENDING_SECONDS", 0.3)

    async def test() -> None:
        thing = new_thing()
        made = await record(thing, range(1, 2))
        async with serving() as streams:
            slow, quick = Reader(streams, path_of(thing)), Reader(streams, path_of(thing))
            await asyncio.gather(slow.until(1), quick.until(1))
            slow.stick()
            made += await record(thing, range(2, 40))
            await quick.until(39)
            await asyncio.wait_for(slow.task, 5)
            assert (len(slow.events), slow.is_over, streams.open_streams) == (1, False, 1)
            quick.hang_up()
            slow = Reader(streams, path_of(thing), last_event_id=slow.events[-1].id)
            assert [event.id for event in await slow.until(38)] == made[1:]

    run(test())


def test_a_full_queue_ends_its_stream_alone() -> None:
    frames = [reading.Frame(sequence, "order.processing", b"x") for sequence in range(1, 400)]
    slow, quick = hub.Watch("a", 0), hub.Watch("a", 0)
    for frame in frames:
        slow.take(frame)
        quick.take(frame)
        quick.waiting.clear()
    assert (slow.is_lost, len(slow.waiting), slow.sequence) == (True, 256, 256)
    assert (quick.is_lost, quick.sequence) == (False, 399)
    quick.take(frames[0])
    assert len(quick.waiting) == 0, "a frame came twice"


def test_streams_are_counted_and_bounded(settings: Settings) -> None:
    settings.STREAMS_AT_ONCE, settings.STREAMS_PER_KEY = 3, 2
    callers = {"a": caller(1), "b": caller(2)}

    async def test() -> None:
        thing = new_thing()
        await record(thing, range(1, 2))
        async with serving(callers=callers) as streams:
            readers = []
            for key in ("a", "a", "b"):
                readers.append(Reader(streams, path_of(thing), authorization=f"Bearer {key}"))
                await readers[-1].until(1)
            for key, status, code in [("a", 429, "too_many_streams"), ("b", 503, "no_room_for_streams")]:
                refused = Reader(streams, path_of(thing), authorization=f"Bearer {key}")
                await refused.until_over()
                assert (refused.status, refused.problem["code"], refused.headers["retry-after"]) == (status, code, "5")
            readers[0].hang_up()
            await asyncio.wait_for(readers[0].task, 5)
            again = Reader(streams, path_of(thing), authorization="Bearer a")
            await again.until(1)

    run(test())


def test_a_stream_lives_for_its_time_and_its_heart_beats(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.STREAM_SECONDS = 1
    monkeypatch.setattr(application, "HEARTBEAT_SECONDS", 0.2)

    async def test() -> None:
        thing = new_thing()
        await record(thing, range(1, 2))
        async with serving() as streams:
            reader = Reader(streams, path_of(thing))
            assert len(await reader.until_over()) == 1
            assert reader.octets.count(b": still here\n\n") in range(3, 6)

    run(test())


@pytest.mark.parametrize("redis", ["there", "gone"])
def test_a_call_is_heard_at_once_and_without_redis_the_second_s_question_finds_it(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, redis: str
) -> None:
    """With Redis: long before the hub would ask by itself. Without: slower, not silent."""
    if redis == "there":
        request.getfixturevalue("valkey")
        monkeypatch.setattr(hub, "ASK_EVERY_SECONDS", 600.0)
        monkeypatch.setattr(wake._caller, "silent_until", 0.0)

    async def test() -> None:
        thing = new_thing()
        await record(thing, range(1, 2))
        async with serving() as streams:
            reader = Reader(streams, path_of(thing))
            await reader.until(1)
            await _heard(streams) if redis == "there" else None
            for sequence in range(2, 5):
                await record(thing, range(sequence, sequence + 1))
                if redis == "there":
                    await asyncio.to_thread(wake.call, [thing])
                await reader.until(sequence)
            assert [event.sequence for event in reader.events] == [1, 2, 3, 4]

    run(test())


async def _heard(streams: Application) -> None:
    """Wait until the hub can hear."""
    for _ in range(200):
        assert streams._hub is not None
        if not streams._hub._is_deaf:
            await asyncio.sleep(0.1)
            return
        await asyncio.sleep(0.05)
    raise AssertionError("nobody listens")


def test_the_relay_calls_after_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    from ledger.controls import drains

    called: list[list[str]] = []
    monkeypatch.setattr("webhooks.relay.wake.call", called.append)
    record_events("ord_1", range(1, 3))
    drains.drain("relay")
    assert called == [["ord_1"]]


def test_streams_survive_a_question_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "_AFTER_FAILURE_SECONDS", 0.05)
    fails = [3]
    changes = reading.changes

    def failing(watched: dict[str, int]) -> Any:
        if fails[0] > 0:
            fails[0] -= 1
            raise ConnectionError("the database is away")
        return changes(watched)

    monkeypatch.setattr(reading, "changes", failing)

    async def test() -> None:
        thing = new_thing()
        await record(thing, range(1, 2))
        async with serving() as streams:
            reader = Reader(streams, path_of(thing))
            await reader.until(1)
            await record(thing, range(2, 4))
            assert [event.sequence for event in await reader.until(3)] == [1, 2, 3]
            assert fails[0] == 0

    run(test())


def test_a_stop_ends_every_stream() -> None:
    async def test() -> None:
        thing = new_thing()
        await record(thing, range(1, 2))
        async with serving() as streams:
            readers = [Reader(streams, path_of(thing)) for _ in range(20)]
            await asyncio.gather(*(reader.until(1) for reader in readers))
            await streams.stop()
            for reader in readers:
                await reader.until_over()

    run(test())
