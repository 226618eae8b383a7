"""Events, where they went, and what came in; a few were given up."""

from collections.abc import Iterator

from tests.bench.console_tables.made import EVENT, MANY, Rows, stateful


def rows() -> Iterator[Rows]:
    late = "state LIKE '%pending'"
    given_up = "state = 'manual_review'"
    event = f"{EVENT} + n"
    yield Rows(
        "ledger_event",
        "filled",
        {"id": event, "reference": "'evt_' || id", "environment": "'test'", "operator_id": "1", "sequence": "2"}
        | {"topic": "'order.' || state", "aggregate": "'ord_' || id", "public": "true", "request_id": "'req_' || id"},
    )
    yield Rows(
        "ledger_queuedevent",
        f"filled WHERE {late} OR {given_up}",
        {"event_id": event, "aggregate": "'ord_' || id", "sequence": "2", "attempts": "1"}
        | {"dead_at": f"CASE WHEN {given_up} THEN at END"},
    )
    yield Rows(
        "webhooks_endpoint",
        "few",
        {
            "id": "1000 + n",
            "reference": "'ep_' || id",
            "operator_id": "1 + n % 2",
            "environment": "'test'",
            "kind": "'http'",
        }
        | {"url": "'https://shop' || n || '.example/hooks'", "topics": "'[\"*\"]'"}
        | {"disabled_at": "CASE WHEN n % 2 = 0 THEN at END", "failing_since": "CASE WHEN n % 3 = 0 THEN at END"},
    )
    yield Rows(
        "webhooks_notice",
        "few WHERE n % 2 = 0",
        {"environment": "'test'", "operator_id": "1", "endpoint_reference": "'ep_' || id", "reason": "'410 Gone'"},
    )
    yield Rows(
        "webhooks_delivery",
        "filled",
        stateful(
            "dlv",
            f"CASE WHEN {late} THEN 'pending' WHEN {given_up} THEN 'dead' ELSE 'delivered' END",
            endpoint_id=f"1001 + n % {MANY}",
            event_id=event,
            event_reference="'evt_' || id",
        )
        | {"topic": "'order.' || state", "aggregate": "'ord_' || id", "sequence": "2", "attempts": "1"}
        | {"ended_at": f"CASE WHEN NOT ({late}) THEN at END"},
    )
    yield Rows(
        "webhooks_deliveryattempt",
        "filled JOIN (SELECT id AS delivery, reference FROM webhooks_delivery) AS d ON reference = 'dlv_' || id"
        f" WHERE NOT ({late})",
        {
            "delivery_id": "delivery",
            "number": "1",
            "started_at": "at",
            "duration_ms": "12",
            "request_id": "'req_' || id",
        }
        | {"http_status": f"CASE WHEN {given_up} THEN 500 ELSE 200 END"}
        | {"failure": f"CASE WHEN {given_up} THEN 'status' ELSE '' END"},
    )
    yield Rows(
        "webhooks_provider",
        "few",
        {
            "id": "1000 + n",
            "code": "'bank' || n",
            "environment": "'test'",
            "scheme": "'standard-webhooks'",
            "kinds": "'[]'",
        },
    )
    yield Rows("webhooks_providersecret", "few", {"provider_id": "1000 + n"})
    yield Rows(
        "webhooks_inboundevent",
        "filled WHERE n % 4 = 0 OR state = 'manual_review'",
        stateful("inb", f"CASE WHEN {given_up} THEN 'dead' WHEN {late} THEN 'parked' ELSE 'applied' END")
        | {"provider_id": f"1001 + n % {MANY}", "provider_code": f"'bank' || 1 + n % {MANY}", "headers": "'{}'"}
        | {"provider_event_id": "'their-' || n", "kind": "'payout.updated'", "provider_transaction": "'ptx-' || n"}
        | {"subjects": "jsonb_build_array('ord_' || id, 'int_' || id)", "payload_reference": "'sha-' || id"}
        | {"request_id": "'rqw_' || id", "judged_at": f"CASE WHEN NOT ({late}) THEN at END"},
    )
    yield Rows(
        "webhooks_providertransaction",
        "filled WHERE n % 8 = 0",
        {
            "provider_id": f"1001 + n % {MANY}",
            "reference": "'ptx-' || n",
            "kind": "'payin'",
            "event_reference": "'inb_' || id",
        },
    )
    yield Rows("webhooks_inboxcount", "few", {"provider_code": "'bank' || n", "reason": "'signature'", "count": "3"})
