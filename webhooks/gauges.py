"""What `/metrics` says about the messaging edge."""

from collections.abc import Iterator
from functools import partial

from django.db import connection

from ledger.controls import metrics
from ledger.controls.metrics import Sample

_OLDEST = (
    "SELECT coalesce(extract(epoch FROM clock_timestamp() - min(e.recorded_at)), 0)::float8"
    " FROM ledger_queuedevent AS q JOIN ledger_event AS e ON e.id = q.event_id WHERE q.dead_at IS NULL"
)
_GAUGES = (
    (
        "holdfast_outbox_depth",
        "Recorded events that the relay has not passed on.",
        "SELECT count(*) FROM ledger_queuedevent WHERE dead_at IS NULL",
    ),
    ("holdfast_outbox_oldest_seconds", "Age of the oldest event that the relay has not passed on.", _OLDEST),
    (
        "holdfast_outbox_dead_letters",
        "Events that the relay has given up.",
        "SELECT count(*) FROM ledger_queuedevent WHERE dead_at IS NOT NULL",
    ),
    (
        "holdfast_deliveries_pending",
        "Deliveries that wait for an attempt.",
        "SELECT count(*) FROM webhooks_delivery WHERE state = 'pending'",
    ),
    (
        "holdfast_deliveries_dead",
        "Deliveries that were given up.",
        "SELECT count(*) FROM webhooks_delivery WHERE state = 'dead'",
    ),
    (
        "holdfast_endpoints_disabled",
        "Webhook endpoints that are disabled.",
        "SELECT count(*) FROM webhooks_endpoint WHERE disabled_at IS NOT NULL",
    ),
    (
        "holdfast_endpoints_failing",
        "Webhook endpoints whose last attempts failed.",
        "SELECT count(*) FROM webhooks_endpoint WHERE failing_since IS NOT NULL AND disabled_at IS NULL",
    ),
    (
        "holdfast_endpoint_notices_open",
        "Webhook endpoints that were disabled by their answers and that nobody has looked at.",
        "SELECT count(*) FROM webhooks_notice WHERE settled_at IS NULL",
    ),
)


def register() -> None:
    for name, meaning, question in _GAUGES:
        metrics.register(name, meaning, "gauge", partial(_collect, question))


def _collect(question: str) -> Iterator[Sample]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        row = cursor.fetchone()
    assert row is not None
    yield {}, row[0]
