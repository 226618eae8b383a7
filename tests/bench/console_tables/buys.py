"""Buys: orders with their quotes, trades, remote operations, requests, moves, claims and returns."""

from collections.abc import Iterator

from tests.bench.console_tables.made import ENDED, WALLETS, Rows, stateful


def rows() -> Iterator[Rows]:
    buy = {"pool_code": "'EUR-USDT'", "user_reference": f"'user' || n % {WALLETS}"}
    amounts = {"source_asset": "'EUR'", "source_minor": "10000", "target_asset": "'USDT'", "target_minor": "106000000"}
    key, ended = "'shop-' || n || ':accept:v1'", {"ended_at": f"CASE WHEN {ENDED} THEN at END"}
    yield Rows(
        "orders_quote",
        "filled",
        stateful("quo", "'accepted'", side="'buy'", pool_id="1", fee_minor="70", vat_minor="13", fee_items="'[]'")
        | {"cash_asset": "'EUR'", "cash_minor": "9917", "expires_at": "at + interval '1 minute'", "accepted_at": "at"}
        | {"order_reference": "'ord_' || id"}
        | buy
        | amounts,
    )
    yield Rows(
        "orders_order",
        "filled",
        stateful("ord", "state", side="'buy'", partner_order_id="'shop-' || n", quote_reference="'quo_' || id")
        | {"idempotency_key": key, "request_id": "'req_' || id", "execute_by": "at + interval '15 minutes'"}
        | {"reconciliation_state": "'matched'"}
        | buy
        | amounts
        | ended,
    )
    yield Rows(
        "orders_trade",
        "filled",
        stateful(
            "trd",
            f"CASE WHEN state = 'processed' THEN 'settled' WHEN {ENDED} THEN 'released' ELSE 'reserved' END",
            order_reference="'ord_' || id",
        )
        | {"quote_reference": "'quo_' || id", "pool_id": "1", "pool_code": "'EUR-USDT'", "idempotency_key": key}
        | {"hold_key": "'ord_' || id || ':hold'", "ended_at": f"CASE WHEN {ENDED} THEN at END"},
    )
    yield Rows(
        "wallets_remoteoperation",
        "filled",
        stateful("rop", f"CASE WHEN {ENDED} THEN 'confirmed' ELSE 'unknown' END", owner="'ord_' || id", leg="'debit'")
        | {"key": "'ord_' || id || ':debit:v1'", "leg_version": "1", "gateway_id": "1", "asset": "'EUR'"}
        | {"amount_minor": "10000", "asks": "1", "lookups": "1", "remote_ref": "'bnk_' || id", "asked_at": "at"},
    )
    yield Rows(
        "wallets_remoteattempt",
        "filled JOIN (SELECT id AS operation, reference FROM wallets_remoteoperation) AS o ON reference = 'rop_' || id",
        {
            "operation_id": "operation",
            "number": "1",
            "kind": "'ask'",
            "request_id": "'req_' || id",
            "outcome": "'confirmed'",
        },
    )
    yield Rows(
        "wallets_apirequest",
        "filled",
        {"request_id": "'req_' || id", "operator_id": "1", "environment": "'test'", "key_id": "1", "method": "'POST'"}
        | {"route": "'POST /v1/orders'", "subject": "'ord_' || id", "idempotency_key": key, "replay": "'first'"}
        | {"status": "202", "duration_ms": "20"},
    )
    yield Rows(
        "ledger_move",
        "filled CROSS JOIN generate_series(1, 2) AS step",
        {
            "environment": "'test'",
            "operator_id": "1",
            "machine": "'order'",
            "subject": "'ord_' || id",
            "sequence": "step",
        }
        | {"from_state": "CASE step WHEN 1 THEN '' ELSE 'queued' END", "actor": "'saga'", "cause": "'bench'"}
        | {"to_state": "CASE step WHEN 1 THEN 'queued' ELSE state END", "request_id": "'req_' || id"},
    )
    yield Rows(
        "ledger_claim",
        "filled WHERE n % 4 = 0",
        {"operator_id": "1", "environment": "'test'", "key": key, "route": "'POST /v1/orders'"}
        | {"request_id": "'req_' || id", "anchor": "'ord_' || id", "answer_status": "202", "answered_at": "at"},
    )
    yield Rows(
        "orders_return",
        "filled WHERE n % 97 = 0",
        stateful("ret", "'given_back'", kind="'late_effect'", order_reference="'ord_' || id", leg="'debit'")
        | {"operation_key": "'ord_' || id || ':debit:v1'", "user_reference": f"'user' || n % {WALLETS}"}
        | {"partner_order_id": "'shop-' || n", "asset": "'EUR'", "amount_minor": "10000", "ended_at": "at"},
    )
    yield Rows(
        "orders_sagarun",
        "filled WHERE state LIKE '%pending'",
        {"subject": "'ord_' || id", "environment": "'test'", "available_at": "now() + interval '1 minute'"},
    )
