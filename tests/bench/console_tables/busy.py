"""What the newest reviewed order and payout have many of, so that a page that asks for each of a record's rows shows."""

from collections.abc import Iterator

from tests.bench.console_tables.made import EVENT, MANY, Rows, stateful


def rows(orders: int) -> Iterator[Rows]:
    busy = f"filled CROSS JOIN generate_series(11, {MANY}) AS k WHERE n > {orders} - 100 AND n % 50 = 0"
    owner = "CASE n % 100 WHEN 0 THEN 'int_' ELSE 'ord_' END || id"
    event = f"{2 * EVENT} + n * 100 + k"
    event_reference = "'evt_' || k || id"
    yield Rows(
        "ledger_move",
        busy,
        {"environment": "'test'", "operator_id": "1", "machine": "'order'", "subject": owner, "sequence": "k"}
        | {"from_state": "'queued'", "to_state": "'processing'", "actor": "'saga'", "cause": "'bench'"},
    )
    yield Rows(
        "wallets_remoteoperation",
        busy,
        stateful("rop", "'unknown'", owner=owner, leg="'debit'", leg_version="k", gateway_id="1", asset="'EUR'")
        | {"reference": "'rop_' || k || id", "key": f"{owner} || ':debit:v' || k", "amount_minor": "10000"},
    )
    yield Rows(
        "wallets_remoteattempt",
        f"(SELECT id AS operation, {MANY} AS k, asked_at AS at FROM wallets_remoteoperation WHERE leg_version > 1) AS o",
        {"operation_id": "operation", "number": "1", "kind": "'ask'", "started_at": "now()", "outcome": "'confirmed'"},
    )
    yield Rows(
        "ledger_event",
        busy,
        {"id": event, "reference": event_reference, "environment": "'test'", "operator_id": "1", "sequence": "k"}
        | {"topic": "'order.processing'", "aggregate": owner, "public": "true"},
    )
    yield Rows(
        "webhooks_delivery",
        busy,
        stateful("dlv", "'delivered'", endpoint_id="1001", event_id=event, event_reference=event_reference)
        | {"reference": "'dlv_' || k || id", "topic": "'order.processing'", "aggregate": owner, "ended_at": "at"},
    )
    yield Rows(
        "webhooks_deliveryattempt",
        f"(SELECT id AS delivery, now() AS at FROM webhooks_delivery WHERE event_id > {2 * EVENT}) AS d",
        {"delivery_id": "delivery", "number": "1", "http_status": "200"},
    )
    yield Rows(
        "wallets_apirequest",
        busy,
        {
            "request_id": "'req_' || k || id",
            "operator_id": "1",
            "environment": "'test'",
            "method": "'GET'",
            "subject": owner,
        }
        | {"route": "'GET /v1/orders'", "status": "200", "replay": "'none'"},
    )
    yield Rows(
        "orders_walletentry",
        busy,
        {
            "wallet": "'wal_' || lpad('1001', 26, '0')",
            "environment": "'test'",
            "operator_id": "1",
            "subject": "'int_' || k || id",
            "kind": "'transfer_out'",
        }
        | {"asset": "'EUR'", "amount_minor": "1"},
    )
    yield Rows("orders_freeze", busy, {"subject": owner, "reason": "'suspicion'", "lifted_at": "at"})
    yield Rows(
        "orders_reviewnote", busy, {"case_reference": "'rev_' || id", "author": "'user:olga'", "text": "'Asked.'"}
    )
    yield Rows(
        "reconciliation_statementline",
        busy,
        {
            "source_id": "1001",
            "reference": "'stl_' || k || id",
            "environment": "'test'",
            "file_id": "1001",
            "number": "k",
        }
        | {
            "line_id": "'busy-' || n || '-' || k",
            "asset": "'EUR'",
            "amount_minor": "1",
            "our_key": f"{owner} || ':debit:v' || k",
        },
    )
    yield Rows(
        "reconciliation_exceptioncase",
        busy,
        stateful("exc", "'resolved'", type="'check' || k", order_reference=owner, business_date="day - k")
        | {"reference": "'exc_' || k || id", "subject": owner, "asset": "'EUR'", "amount_minor": "1"},
    )
