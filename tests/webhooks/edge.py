"""Make events as moves do, endpoints as operators do, and look at what became of them."""

import json
from typing import Any

from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import clock, references
from webhooks import endpoints
from webhooks.models import Delivery, DeliveryAttempt, Endpoint

OPERATOR = 71
OTHER_OPERATOR = 72


def record_events(
    aggregate: str,
    sequences: range,
    *,
    topic: str = "order.processed",
    operator_id: int | None = OPERATOR,
    environment: str = "test",
    public: bool = True,
) -> list[str]:
    """Record events through `record_moves`, which every move passes. Returns their references."""
    now = clock.now()
    made = [references.new(references.Prefix.EVENT) for _ in sequences]
    rows = [
        {
            "operator_id": operator_id,
            "machine": "order",
            "subject": aggregate,
            "sequence": sequence,
            "from_state": "queued",
            "to_state": "processing",
            "actor": "test",
            "cause": "test",
            "request_id": f"req_{aggregate}",
            "event_reference": "",
            "event": {
                "reference": reference,
                "topic": topic,
                "payload": {"order_id": aggregate, "sequence": sequence, "note": "żółw €"},
                "public": public,
            },
        }
        for sequence, reference in zip(sequences, made, strict=True)
    ]
    with db_transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT record_moves(%s, %s::jsonb, %s)", [environment, json.dumps(rows), now])
    return made


def make_endpoint(
    url: str = "https://hooks.example.com/in",
    *,
    topics: list[str] | None = None,
    operator_id: int = OPERATOR,
    environment: str = "test",
) -> Endpoint:
    return endpoints.create(
        operator_id=operator_id,
        environment=environment,
        url=url,
        topics=topics or [],
        description="",
        now=clock.now(),
    )


def mine(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "operator_id": endpoint.operator_id,
        "environment": endpoint.environment,
        "reference": endpoint.reference,
    }


def the_delivery() -> Delivery:
    """Return the only delivery."""
    return Delivery.objects.get()


def attempts() -> list[tuple[int, int | None]]:
    """Return (number, HTTP status) of all attempts."""
    return list(DeliveryAttempt.objects.order_by("delivery_id", "number").values_list("number", "http_status"))


def column(question: str, *parameters: str | int) -> list[Any]:
    """Return the first column of what a question finds."""
    with connection.cursor() as cursor:
        cursor.execute(question, list(parameters))
        return [row[0] for row in cursor.fetchall()]


def queued() -> list[tuple[str, int]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT aggregate, sequence FROM ledger_queuedevent ORDER BY aggregate, sequence")
        return [(row[0], row[1]) for row in cursor.fetchall()]
