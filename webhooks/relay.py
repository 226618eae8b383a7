"""The relay: passes on recorded events, in sequence per aggregate, in one local transaction (DESIGN, Events).

1 take the oldest due rows and lock their aggregates, those that no other relay has
2 in a second statement take those aggregates' rows in sequence, up to the first that is not due and to a cap
3 delete them, call who listens, write the deliveries that they cause
4 commit; then ring for the deliveries

It never talks to the outside. An event whose listener fails holds back its own aggregate: it is tried again later,
and after the last try it becomes a dead letter and lets the next pass.
"""

import json
from typing import Any, Final

import structlog
from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import bell, clock, drains, randomness
from ledger.controls.redaction import redacted
from webhooks import routing
from webhooks.streams import wake

log = structlog.get_logger(__name__)

KIND: Final = "relay"
TRIES: Final = 12

_BATCH: Final = 100
_CAP_PER_AGGREGATE: Final = 50
_FIRST_DELAY_SECONDS: Final = 1.0
_LONGEST_DELAY_SECONDS: Final = 600.0


class ListenerFailed(Exception):
    """A listener raised; its event is tried again later."""

    def __init__(self, event: routing.RelayedEvent) -> None:
        self.event = event
        super().__init__(f"a listener to {event.topic} failed at {event.reference}")


def relay() -> int:
    """Pass on a batch; return how many rows were passed on or put off, 0 when nothing is due here."""
    try:
        return _pass_on_together()
    except Exception:
        if _is_lost():
            raise
    return _pass_on_apart()  # whatever it was: each aggregate alone, with the locks taken again


def depth() -> int:
    """Count events that are due and not passed on, up to 10000."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM ledger_queuedevent WHERE dead_at IS NULL"
            " AND available_at <= coalesce(%s::timestamptz, statement_timestamp()) LIMIT 10000) AS due",
            [clock.parameter()],
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def register() -> None:
    # where an aggregate alone has reached its cap, it goes on
    drains.register(drains.Drain(kind=KIND, work=relay, depth=depth, batch=_CAP_PER_AGGREGATE))


def _is_lost() -> bool:
    """Tell whether the database is gone: then nothing more is tried with this connection."""
    return connection.connection is None or bool(connection.connection.closed)


def _pass_on_together() -> int:
    """Do all four steps for a batch of aggregates, or nothing of it: one call, then those who listen."""
    with db_transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT aggregates, taken, deferred, heard, born FROM webhooks_relay(%s, %s, %s, %s::timestamptz)",
                [_BATCH, _CAP_PER_AGGREGATE, routing.topics(), clock.parameter()],
            )
            row = cursor.fetchone()
        assert row is not None
        aggregates, taken, deferred, heard, born = row
        _tell_all(heard)
        _call_after_commit(aggregates if taken else [], born=born)
        return int(taken) + int(deferred)


def _pass_on_apart() -> int:
    """Pass on each aggregate of a batch behind a savepoint of its own; put off what fails."""
    with db_transaction.atomic():
        return sum(_pass_on_alone(aggregate) for aggregate in _locked_aggregates())


def _locked_aggregates() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT webhooks_lock_aggregates(%s, %s::timestamptz)", [_BATCH, clock.parameter()])
        row = cursor.fetchone()
    assert row is not None
    return list(row[0])


def _pass_on_alone(aggregate: str) -> int:
    try:
        with db_transaction.atomic():
            return _pass_on(aggregate)
    except Exception as error:  # noqa: BLE001  (whatever it was, it must hold back its own aggregate alone)
        return _postpone(aggregate, error)


def _pass_on(aggregate: str) -> int:
    """Take an aggregate's events and do all that they cause, or nothing of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT taken, deferred, heard FROM webhooks_take_events(%s, %s, %s, %s::timestamptz)",
            [[aggregate], _CAP_PER_AGGREGATE, routing.topics(), clock.parameter()],
        )
        row = cursor.fetchone()
        assert row is not None
        taken, deferred, heard = row
        _tell_all(heard)
        cursor.execute("SELECT webhooks_fan_out(%s, %s::timestamptz)", [taken, clock.parameter()])
        born = cursor.fetchone()
        assert born is not None
    _call_after_commit([aggregate] if taken else [], born=born[0])
    return len(taken) + int(deferred)


def _call_after_commit(aggregates: list[str], *, born: int) -> None:
    if aggregates:
        db_transaction.on_commit(lambda: wake.call(aggregates), robust=True)
    if born:
        bell.ring_after_commit("deliveries")


def _tell_all(heard: Any) -> None:
    for event in map(routing.from_row, json.loads(heard) if isinstance(heard, str) else heard):
        _tell(event)


def _tell(event: routing.RelayedEvent) -> None:
    for listener in routing.listeners_of(event.topic):
        try:
            listener(event)
        except Exception as error:
            raise ListenerFailed(event) from error


def _postpone(aggregate: str, error: Exception) -> int:
    """Put off the event that failed, or the aggregate's first when it was not one event's doing."""
    cause = error.__cause__ or error
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_id, attempts FROM ledger_queuedevent WHERE dead_at IS NULL AND aggregate = %s"
            " AND (event_id = %s OR %s::bigint IS NULL) ORDER BY sequence LIMIT 1",
            [aggregate, *([error.event.id] * 2 if isinstance(error, ListenerFailed) else [None, None])],
        )
        row = cursor.fetchone()
        if row is None:
            return 0
        cursor.execute(
            "SELECT webhooks_postpone_event(%s, %s, %s, %s, %s::timestamptz)",
            [
                row[0],
                _delay_seconds(row[1]),
                TRIES,
                f"{type(cause).__name__}: {redacted(str(cause))}"[:500],
                clock.parameter(),
            ],
        )
        dead = cursor.fetchone()
    assert dead is not None
    log.error("relay.failed", aggregate=aggregate, event_id=row[0], dead=dead[0], exc_info=error)
    return 1


def _delay_seconds(attempts: int) -> float:
    """Return a doubling delay, up to a fifth more by chance, so that what failed together returns apart."""
    delay: float = min(_FIRST_DELAY_SECONDS * 2**attempts, _LONGEST_DELAY_SECONDS)
    return delay * (1 + randomness.fraction() / 5)
