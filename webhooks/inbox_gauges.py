"""What `/metrics` says about the inbox."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from django.db import connection

from ledger.controls import clock, metrics
from ledger.controls.metrics import Sample

_GAUGES: Final = (
    (
        "holdfast_inbox_waiting",
        "Inbound events that nobody has judged.",
        "SELECT count(*) FROM webhooks_inboundevent WHERE state IN ('received', 'parked')",
    ),
    (
        "holdfast_inbox_oldest_seconds",
        "Age of the oldest inbound event that nobody has judged.",
        "SELECT coalesce(extract(epoch FROM coalesce(%(now)s::timestamptz, clock_timestamp()) - min(created_at)), 0)"
        "::float8 FROM webhooks_inboundevent WHERE state IN ('received', 'parked')",
    ),
    (
        "holdfast_inbox_dead",
        "Inbound events that were given up.",
        "SELECT count(*) FROM webhooks_inboundevent WHERE state = 'dead'",
    ),
)


def register() -> None:
    for name, meaning, question in _GAUGES:
        metrics.register(name, meaning, "gauge", partial(_collect, question))
    metrics.register(
        "holdfast_inbox_unstored_total",
        "Inbound requests that were refused or repeated, by provider and reason.",
        "counter",
        _unstored,
    )


def _collect(question: str) -> Iterator[Sample]:
    with connection.cursor() as cursor:
        cursor.execute(question, {"now": clock.parameter()})
        row = cursor.fetchone()
    assert row is not None
    yield {}, row[0]


def _unstored() -> Iterator[Sample]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT provider_code, reason, sum(count)::bigint FROM webhooks_inboxcount GROUP BY 1, 2 ORDER BY 1, 2"
        )
        for provider, reason, total in cursor.fetchall():
            yield {"provider": provider, "reason": reason}, total
