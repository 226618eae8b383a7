"""Deliveries: claim what is due, send it outside any transaction, write down what became of it.

1 claim a few, in sequence per lane, each with a lease (one statement, committed before anything is sent)
2 send each lane in a thread of its own; one lane's slow receiver holds up nobody else's: whoever waits long for an
  answer keeps its thread but no longer counts among those that are busy
3 write down attempts and moves of those that are done by then, in one transaction
4 go on until nothing is due and nothing is on its way but what has been silent for long: that is left to itself
  (`left_lanes`), so that what falls due meanwhile, and other kinds of work, find this worker free

A crash between 2 and 3 lets the lease end: the delivery is sent again, with the same webhook-id.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Final

from django.db import connection

from ledger.controls import clock, drains
from webhooks import outbound
from webhooks.claiming import claim
from webhooks.gathering import KIND, record, record_lanes
from webhooks.left_lanes import Sent, left
from webhooks.sending import send_lane

_BUSY: Final = 64
"""Deliveries on their way at once whose receivers answer quickly."""
_THREADS: Final = 256
"""Lanes on their way at once in this process."""
_SLOW_SECONDS: Final = 0.5
_PATIENCE_SECONDS: Final = 2.0
_GATHER_SECONDS: Final = 0.03
_CLAIMS_FOR_SECONDS: Final = 20.0


def deliver() -> int:
    """Send what is due until nothing is, or for some seconds; return how many attempts were made or given up."""
    assert not connection.in_atomic_block
    if outbound.is_simulated():
        return _deliver_in_order()
    started = clock.monotonic()
    done = 0
    on_their_way: dict[Sent, tuple[int, float]] = {}
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="delivery")
    try:
        while True:
            free = min(_BUSY - _quick(on_their_way.values()), _THREADS - len(on_their_way) - left.number)
            due = False
            if free > 0 and clock.monotonic() - started < _CLAIMS_FOR_SECONDS:
                lanes, due = claim(limit=free)
                for lane in lanes:
                    sent = pool.submit(copy_context().run, send_lane, lane)
                    on_their_way[sent] = (len(lane), clock.monotonic())
            if not due and not _worth_waiting_for(on_their_way.values()):
                return done
            finished, _ = wait(on_their_way, timeout=_GATHER_SECONDS)
            for future in finished:
                del on_their_way[future]
            done += record_lanes(finished)
    finally:
        left.take(on_their_way)
        pool.shutdown(wait=False)


def depth() -> int:
    """Count deliveries that are due, up to 10000."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM webhooks_endpoint AS p JOIN webhooks_delivery AS d"
            " ON d.endpoint_id = p.id AND d.state = 'pending'"
            " AND d.available_at <= coalesce(%s::timestamptz, statement_timestamp()) LIMIT 10000) AS due",
            [clock.parameter()],
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def has_waited(seconds: float) -> bool:
    """Tell whether a delivery has been due for so long."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM webhooks_endpoint AS p JOIN webhooks_delivery AS d"
            " ON d.endpoint_id = p.id AND d.state = 'pending' AND d.available_at"
            " <= coalesce(%s::timestamptz, statement_timestamp()) - %s::double precision * interval '1 second')",
            [clock.parameter(), seconds],
        )
        return bool(cursor.fetchone() == (True,))


def register() -> None:
    drains.register(drains.Drain(kind=KIND, work=deliver, depth=depth, has_waited=has_waited))


def _deliver_in_order() -> int:
    """As `deliver`, one by one in this thread: what a simulation can repeat."""
    lanes, _ = claim(limit=_BUSY)
    return sum(record(send_lane(lane)) for lane in lanes)


def _quick(lanes: Iterable[tuple[int, float]]) -> int:
    """Count the deliveries on their way but those whose receiver has been silent for long."""
    now = clock.monotonic()
    return sum(number for number, since in lanes if now - since < _SLOW_SECONDS)


def _worth_waiting_for(lanes: Iterable[tuple[int, float]]) -> bool:
    """Tell whether one of them may be done soon."""
    now = clock.monotonic()
    return any(now - since < _PATIENCE_SECONDS for _, since in lanes)
