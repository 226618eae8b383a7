"""Deliveries: claim what is due, send it outside any transaction, write down what became of it.

1 claim a few, in sequence per lane, each with a lease (one statement, committed before anything is sent)
2 send each lane in a thread of its own; one lane's slow receiver holds up nobody else's: whoever waits long for an
  answer keeps its thread but no longer counts among those that are busy
3 write down attempts and moves of those that are done by then, in one transaction
4 go on until nothing is due and nothing is on its way

A crash between 2 and 3 lets the lease end: the delivery is sent again, with the same webhook-id.
"""

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Final

import structlog
from django.db import connection

from ledger.controls import bell, clock, drains
from webhooks import outbound, transitions
from webhooks.claiming import claim
from webhooks.sending import send_lane
from webhooks.transitions import Attempted, Verdict

log = structlog.get_logger(__name__)

KIND: Final = "deliveries"

_BUSY: Final = 64
"""Deliveries on their way at once whose receivers answer quickly."""
_THREADS: Final = 256
_SLOW_SECONDS: Final = 0.5
_GATHER_SECONDS: Final = 0.03
_CLAIMS_FOR_SECONDS: Final = 20.0


def deliver() -> int:
    """Send what is due until nothing is, or for some seconds; return how many attempts were made or given up."""
    assert not connection.in_atomic_block
    if outbound.is_simulated():
        return _deliver_in_order()
    started = clock.monotonic()
    done = 0
    on_their_way: dict[Future[list[Attempted]], tuple[int, float]] = {}
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="delivery") as pool:
        while True:
            free = min(_BUSY - _quick(on_their_way.values()), _THREADS - len(on_their_way))
            due = False
            if free > 0 and clock.monotonic() - started < _CLAIMS_FOR_SECONDS:
                lanes, due = claim(limit=free)
                for lane in lanes:
                    sent = pool.submit(copy_context().run, send_lane, lane)
                    on_their_way[sent] = (len(lane), clock.monotonic())
            if not on_their_way:
                if not due:
                    return done
                continue
            finished, _ = wait(on_their_way, timeout=_GATHER_SECONDS)
            for future in finished:
                del on_their_way[future]
            done += _record([result for future in finished for result in _results(future)])


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


def register() -> None:
    drains.register(drains.Drain(kind=KIND, work=deliver, depth=depth))


def _deliver_in_order() -> int:
    """As `deliver`, one by one in this thread: what a simulation can repeat."""
    lanes, _ = claim(limit=_BUSY)
    return sum(_record(send_lane(lane)) for lane in lanes)


def _quick(lanes: Iterable[tuple[int, float]]) -> int:
    """Count the deliveries on their way but those whose receiver has been silent for long."""
    now = clock.monotonic()
    return sum(number for number, since in lanes if now - since < _SLOW_SECONDS)


def _results(future: Future[list[Attempted]]) -> list[Attempted]:
    """Return what became of a lane; a defect costs its lane this lease, and nobody else anything."""
    if (error := future.exception()) is not None:
        log.error("delivery.defect", exc_info=error)
        return []
    return future.result()


def _record(results: list[Attempted]) -> int:
    if not results:
        return 0
    recorded = transitions.record_attempts(results)
    if recorded.disabled:
        log.warning("endpoint.disabled", endpoint_ids=recorded.disabled)
        transitions.hasten(endpoint_ids=recorded.disabled)
        bell.ring_after_commit(KIND)
    if recorded.lost:
        log.warning("delivery.lease_lost", number=recorded.lost)
    for result in results:
        if result.verdict in (Verdict.RETRY, Verdict.DEAD):
            log.info(
                "delivery.failed",
                delivery_id=result.id,
                attempt=result.number,
                verdict=result.verdict,
                cause=result.cause,
                request_id=result.request_id,
            )
    return sum(result.verdict is not Verdict.UNSENT for result in results)
