"""The rows that the console's pages show, made in bulk by SQL, as they lie after months: consistent in their ids, most of them
long ended; few are open, and every list has some.

A table's columns are given as SQL over what it is made from; a column that may not be empty and is not given gets its type's
nothing. Triggers are off: only a database that is thrown away afterwards is filled so.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from tests.bench.filling import indexes_at_the_end

MANY: Final = 40
"""Rows of what has few: operators, gateways, pools, endpoints, sources, closes."""

_NUMBERED: Final = """
CREATE TEMP TABLE filled AS SELECT n, lpad(n::text, 26, '0') AS id,
    now() - ({orders} - n) * interval '8 seconds' AS at, now()::date - ({orders} - n) / 10800 AS day,
    CASE WHEN n % 50 = 0 AND n > {orders} - greatest({orders} / 40, 2400) THEN 'manual_review'
         WHEN n > {orders} - 200 THEN 'operator_debit_pending' WHEN n > {orders} - 240 THEN 'compensation_pending'
         WHEN n % 97 = 0 THEN 'compensated' WHEN n % 31 = 0 THEN 'failed' ELSE 'processed' END AS state
FROM generate_series(1, {orders}) AS n
"""
_FEW: Final = f"""
CREATE TEMP TABLE few AS SELECT n, lpad(n::text, 26, '0') AS id, now() - n * interval '1 day' AS at, now()::date - n AS day
FROM generate_series(1, {MANY}) AS n
"""
_COLUMNS: Final = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = %s AND is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO'
"""
_NUMBERS: Final = dict.fromkeys(("bigint", "integer", "smallint", "numeric"), "0")
_NOTHING: Final = (
    _NUMBERS
    | dict.fromkeys(("character varying", "text", "bytea"), "''")
    | {"boolean": "false", "jsonb": "'{}'", "date": "day", "timestamp with time zone": "at"}
)

_ENDED: Final = "state IN ('processed', 'failed', 'compensated')"
_WALLETS: Final = "100000"
_EVENT: Final = 10_000_000
"""Event numbers from here on, so that deliveries can name theirs."""


@dataclass(frozen=True, slots=True)
class _Rows:
    table: str
    made_from: str
    columns: Mapping[str, str] = field(default_factory=dict)


def fill(connection: "psycopg.Connection[Any]", *, orders: int) -> None:
    """Make that many orders, with all that belongs to them, as the superuser, in autocommit."""
    connection.execute("SET session_replication_role = replica")
    connection.execute("SET synchronous_commit = off")
    connection.execute(_NUMBERED.format(orders=orders))
    connection.execute(_FEW)
    every = list(_every(orders))
    tables = list(dict.fromkeys(rows.table for rows in every))
    with indexes_at_the_end(connection, tables):
        for rows in every:
            columns = {**_nothing(connection, rows), **rows.columns}
            connection.execute(
                f"INSERT INTO {rows.table} ({', '.join(columns)}) OVERRIDING SYSTEM VALUE "
                f"SELECT {', '.join(columns.values())} FROM {rows.made_from}"
            )
    for table in tables:
        connection.execute(f"VACUUM ANALYZE {table}")
    connection.execute("SET session_replication_role = origin")


def _nothing(connection: "psycopg.Connection[Any]", rows: _Rows) -> dict[str, str]:
    found = connection.execute(_COLUMNS, [rows.table]).fetchall()
    return {name: _NOTHING[kind] for name, kind in found if name not in rows.columns}


def _every(orders: int) -> Iterator[_Rows]:
    yield from _orders()
    yield from _payments()
    yield from _messages()
    yield from _people(orders)
    yield from _book()
    yield from _closing(orders)
    yield from _partners()
    yield from _busy(orders)


def _stateful(prefix: str, state: str, **columns: str) -> dict[str, str]:
    """Return the columns of a row with a machine."""
    kept = {"reference": f"'{prefix}_' || id", "environment": "'test'", "operator_id": "1", "version": "2"}
    return kept | {"created_at": "at", "updated_at": "at", "state": state} | columns


def _orders() -> Iterator[_Rows]:
    buy = {"pool_code": "'EUR-USDT'", "user_reference": f"'user' || n % {_WALLETS}"}
    amounts = {"source_asset": "'EUR'", "source_minor": "10000", "target_asset": "'USDT'", "target_minor": "106000000"}
    key, ended = "'shop-' || n || ':accept:v1'", {"ended_at": f"CASE WHEN {_ENDED} THEN at END"}
    yield _Rows(
        "orders_quote",
        "filled",
        _stateful("quo", "'accepted'", side="'buy'", pool_id="1", fee_minor="70", vat_minor="13", fee_items="'[]'")
        | {"cash_asset": "'EUR'", "cash_minor": "9917", "expires_at": "at + interval '1 minute'", "accepted_at": "at"}
        | {"order_reference": "'ord_' || id"}
        | buy
        | amounts,
    )
    yield _Rows(
        "orders_order",
        "filled",
        _stateful("ord", "state", side="'buy'", partner_order_id="'shop-' || n", quote_reference="'quo_' || id")
        | {"idempotency_key": key, "request_id": "'req_' || id", "execute_by": "at + interval '15 minutes'"}
        | {"reconciliation_state": "'matched'"}
        | buy
        | amounts
        | ended,
    )
    yield _Rows(
        "orders_trade",
        "filled",
        _stateful(
            "trd", "CASE state WHEN 'processed' THEN 'settled' ELSE 'reserved' END", order_reference="'ord_' || id"
        )
        | {"quote_reference": "'quo_' || id", "pool_id": "1", "pool_code": "'EUR-USDT'", "idempotency_key": key}
        | {"hold_key": "'ord_' || id || ':hold'", "ended_at": "CASE state WHEN 'processed' THEN at END"},
    )
    yield _Rows(
        "wallets_remoteoperation",
        "filled",
        _stateful("rop", f"CASE WHEN {_ENDED} THEN 'confirmed' ELSE 'unknown' END", owner="'ord_' || id", leg="'debit'")
        | {"key": "'ord_' || id || ':debit:v1'", "leg_version": "1", "gateway_id": "1", "asset": "'EUR'"}
        | {"amount_minor": "10000", "asks": "1", "lookups": "1", "remote_ref": "'bnk_' || id", "asked_at": "at"},
    )
    yield _Rows(
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
    yield _Rows(
        "wallets_apirequest",
        "filled",
        {"request_id": "'req_' || id", "operator_id": "1", "environment": "'test'", "key_id": "1", "method": "'POST'"}
        | {"route": "'POST /v1/orders'", "subject": "'ord_' || id", "idempotency_key": key, "replay": "'first'"}
        | {"status": "202", "duration_ms": "20"},
    )
    yield _Rows(
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
    yield _Rows(
        "ledger_claim",
        "filled WHERE n % 4 = 0",
        {"operator_id": "1", "environment": "'test'", "key": key, "route": "'POST /v1/orders'"}
        | {"request_id": "'req_' || id", "anchor": "'ord_' || id", "answer_status": "202", "answered_at": "at"},
    )
    yield _Rows(
        "orders_return",
        "filled WHERE n % 97 = 0",
        _stateful("ret", "'given_back'", kind="'late_effect'", order_reference="'ord_' || id", leg="'debit'")
        | {"operation_key": "'ord_' || id || ':debit:v1'", "user_reference": f"'user' || n % {_WALLETS}"}
        | {"partner_order_id": "'shop-' || n", "asset": "'EUR'", "amount_minor": "10000", "ended_at": "at"},
    )
    yield _Rows(
        "orders_sagarun",
        "filled WHERE state LIKE '%pending'",
        {"subject": "'ord_' || id", "environment": "'test'", "available_at": "now() + interval '1 minute'"},
    )


def _payments() -> Iterator[_Rows]:
    """Transfers and payouts, their wallets' histories and limits, and what was paid in."""
    wallet = f"'wal_' || lpad((1 + n % {_WALLETS})::text, 26, '0')"
    money = {"asset": "'EUR'", "amount_minor": "2500"}
    yield _Rows(
        "wallets_wallet",
        f"filled WHERE n <= {_WALLETS}",
        {"reference": "'wal_' || id", "environment": "'test'", "operator_id": "1 + n % 2", "kind": "'user'"}
        | {"user_reference": "'user' || n", "closed_at": "CASE WHEN n % 50 = 0 THEN at END"}
        | {"moved_after_close_at": "CASE WHEN n % 50 = 0 THEN at END"},
    )
    yield _Rows(
        "wallets_walletasset",
        "filled JOIN (SELECT id AS wallet, reference FROM wallets_wallet) AS w ON reference = 'wal_' || id",
        {"wallet_id": "wallet", "asset": "'EUR'"},
    )
    yield _Rows(
        "wallets_walletfreeze",
        f"filled JOIN (SELECT id AS wallet, reference FROM wallets_wallet) AS w ON reference = 'wal_' || id WHERE n <= {MANY}",
        {"wallet_id": "wallet", "reason": "'stolen phone'", "frozen_by": "'user:lena'", "frozen_at": "at"},
    )
    yield _Rows(
        "wallets_limitusage",
        "filled WHERE n % 8 = 0",
        {
            "environment": "'test'",
            "operator_id": "1 + n % 2",
            "name": "'daily' || n",
            "flow": "'transfer'",
            "wallet": wallet,
        }
        | {"asset": "'EUR'", "used_minor": "2500"},
    )
    intent = "CASE WHEN state = 'processed' THEN 'settled' WHEN state IN ('failed', 'compensated') THEN 'failed' "
    intent += "WHEN state = 'manual_review' AND n % 4 = 0 THEN 'manual_review' WHEN n % 4 = 0 THEN 'authorized' "
    intent += "ELSE 'created' END"
    yield _Rows(
        "orders_intent",
        "filled WHERE n % 2 = 0",
        _stateful("int", intent, kind="CASE n % 4 WHEN 0 THEN 'payout' ELSE 'transfer' END", payer=wallet, **money)
        | {"channel": "CASE n % 4 WHEN 0 THEN 'promptpay' ELSE 'internal' END", "partner_reference": "'pay-' || n"}
        | {"payee": f"CASE n % 4 WHEN 0 THEN '' ELSE {wallet} END", "fee_items": "'[]'", "usages": "'[]'"}
        | {
            "request_id": "'rqi_' || id",
            "reference_number": "'HF' || id",
            "debit_minor": "2500",
            "credit_minor": "2500",
        }
        | {"scheduled_for": "CASE n % 4 WHEN 2 THEN at END", "ended_at": f"CASE WHEN {_ENDED} THEN at END"},
    )
    yield _Rows(
        "orders_payout",
        "filled WHERE n % 4 = 0",
        _stateful(
            "pay",
            f"CASE WHEN {_ENDED} THEN 'complete' WHEN state = 'manual_review' THEN 'manual_review'"
            " WHEN n % 8 = 0 THEN 'dead_letter' ELSE 'waiting' END",
            intent_reference="'int_' || id",
            gateway_id="1",
            **money,
        )
        | {"ended_at": f"CASE WHEN {_ENDED} THEN at END"},
    )
    yield _Rows(
        "orders_walletentry",
        "filled WHERE n % 2 = 0",
        {
            "wallet": wallet,
            "environment": "'test'",
            "operator_id": "1",
            "subject": "'int_' || id",
            "kind": "'transfer_out'",
        }
        | {**money, "posted_minor": "7500"},
    )
    yield _Rows(
        "orders_payin",
        "filled WHERE n % 8 = 0",
        _stateful("pin", "'booked'", kind="'collected'", wallet=wallet, provider_id="1", provider_code="'acme'")
        | {
            "provider_transaction": "'ptx-' || n",
            "inbound_event": "'inb_' || id",
            "asset": "'EUR'",
            "gross_minor": "2500",
        }
        | {"collection": "'ptx-' || n", "fee_minor": "25", "fee_items": "'[]'"},
    )


def _messages() -> Iterator[_Rows]:
    """Events, where they went, and what came in; a few were given up."""
    late = "state LIKE '%pending'"
    given_up = "state = 'manual_review'"
    event = f"{_EVENT} + n"
    yield _Rows(
        "ledger_event",
        "filled",
        {"id": event, "reference": "'evt_' || id", "environment": "'test'", "operator_id": "1", "sequence": "2"}
        | {"topic": "'order.' || state", "aggregate": "'ord_' || id", "public": "true", "request_id": "'req_' || id"},
    )
    yield _Rows(
        "ledger_queuedevent",
        f"filled WHERE {late} OR {given_up}",
        {"event_id": event, "aggregate": "'ord_' || id", "sequence": "2", "attempts": "1"}
        | {"dead_at": f"CASE WHEN {given_up} THEN at END"},
    )
    yield _Rows(
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
    yield _Rows(
        "webhooks_notice",
        "few WHERE n % 2 = 0",
        {"environment": "'test'", "operator_id": "1", "endpoint_reference": "'ep_' || id", "reason": "'410 Gone'"},
    )
    yield _Rows(
        "webhooks_delivery",
        "filled",
        _stateful(
            "dlv",
            f"CASE WHEN {late} THEN 'pending' WHEN {given_up} THEN 'dead' ELSE 'delivered' END",
            endpoint_id=f"1001 + n % {MANY}",
            event_id=event,
            event_reference="'evt_' || id",
        )
        | {"topic": "'order.' || state", "aggregate": "'ord_' || id", "sequence": "2", "attempts": "1"}
        | {"ended_at": f"CASE WHEN NOT ({late}) THEN at END"},
    )
    yield _Rows(
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
    yield _Rows(
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
    yield _Rows("webhooks_providersecret", "few", {"provider_id": "1000 + n"})
    yield _Rows(
        "webhooks_inboundevent",
        "filled WHERE n % 4 = 0 OR state = 'manual_review'",
        _stateful("inb", f"CASE WHEN {given_up} THEN 'dead' WHEN {late} THEN 'parked' ELSE 'applied' END")
        | {"provider_id": f"1001 + n % {MANY}", "provider_code": f"'bank' || 1 + n % {MANY}", "headers": "'{}'"}
        | {"provider_event_id": "'their-' || n", "kind": "'payout.updated'", "provider_transaction": "'ptx-' || n"}
        | {"subjects": "jsonb_build_array('ord_' || id, 'int_' || id)", "payload_reference": "'sha-' || id"}
        | {"request_id": "'rqw_' || id", "judged_at": f"CASE WHEN NOT ({late}) THEN at END"},
    )
    yield _Rows(
        "webhooks_providertransaction",
        "filled WHERE n % 8 = 0",
        {
            "provider_id": f"1001 + n % {MANY}",
            "reference": "'ptx-' || n",
            "kind": "'payin'",
            "event_reference": "'inb_' || id",
        },
    )
    yield _Rows("webhooks_inboxcount", "few", {"provider_code": "'bank' || n", "reason": "'signature'", "count": "3"})


def _people(orders: int) -> Iterator[_Rows]:
    """What waits for people, or was decided by them."""
    reviewed = "filled WHERE n % 50 = 0"
    state = "CASE state WHEN 'manual_review' THEN 'open' ELSE 'resolved' END"
    yield _Rows(
        "orders_reviewcase",
        reviewed,
        _stateful(
            "rev", state, subject="CASE n % 100 WHEN 0 THEN 'int_' ELSE 'ord_' END || id", reason="'debit_unknown'"
        )
        | {
            "next_action": "'Look it up.'",
            "asset": "'EUR'",
            "amount_minor": "10000",
            "due_at": "at + interval '4 hours'",
        },
    )
    yield _Rows(
        "orders_reviewnote", reviewed, {"case_reference": "'rev_' || id", "author": "'user:olga'", "text": "'Asked.'"}
    )
    yield _Rows(
        "ledger_approval",
        reviewed,
        {
            "reference": "'apr_' || id",
            "environment": "'test'",
            "kind": "'review.debit_absent'",
            "subject": "'rev_' || id",
        }
        | {"decision": "'approved'", "maker": "'user:olga'", "checker": "'user:lena'", "decided_at": "at"},
    )
    found = f"filled WHERE n % 50 = 0 OR n > {orders} - {MANY}"
    yield _Rows(
        "reconciliation_exceptioncase",
        found,
        _stateful("exc", f"CASE WHEN {_ENDED} THEN 'resolved' ELSE 'open' END", type="'missing_trade'")
        | {"subject": "'ord_' || id", "order_reference": "'ord_' || id", "business_date": "day", "asset": "'EUR'"}
        | {"amount_minor": "10000", "first_action": "'Look at the order.'"},
    )
    yield _Rows(
        "reconciliation_exceptionnote",
        found,
        {"case_reference": "'exc_' || id", "author": "'user:fred'", "text": "'Seen.'"},
    )
    yield _Rows(
        "orders_freeze",
        "filled WHERE n % 97 = 0",
        {"subject": "'ord_' || id", "reason": "'suspicion'", "frozen_by": "'user:lena'", "lifted_at": "at"},
    )
    yield _Rows(
        "orders_stalefinding",
        f"filled WHERE n > {orders} - {MANY}",
        {"subject": "'ord_' || id", "kind": "'order'", "environment": "'test'", "state": "state", "done": "'driven'"}
        | {"times": "1"},
    )
    yield _Rows(
        "reconciliation_notice",
        f"filled WHERE n > {orders} - {MANY}",
        {
            "environment": "'test'",
            "kind": "'open_review'",
            "subject": "'rev_' || id",
            "text": "'It waits.'",
            "sent_at": "at",
        },
    )


def _book() -> Iterator[_Rows]:
    """An account for each wallet, and a hold with one posting for each order."""
    book = {"book_id": "(SELECT id FROM ledger_book WHERE environment = 'test')"}
    number = "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid"
    account = f"2000000 + n % {_WALLETS}"
    yield _Rows(
        "ledger_account",
        f"(SELECT 0 AS n, now() AS at UNION ALL SELECT n, at FROM filled WHERE n <= {_WALLETS}) AS filled"
        " CROSS JOIN (VALUES ('available', 2000000), ('receivable', 3000000)) AS kind (name, first)",
        {"id": "first + n", "address": "'users:wal_' || lpad(n::text, 26, '0') || ':' || name", "asset": "'EUR'"}
        | {
            "account_class": "'liability'",
            "gl_code": "'2004'",
            "normal_side": "'credit'",
            "balance_rule": "'none'",
            **book,
        },
    )
    yield _Rows(
        "ledger_transaction",
        "filled",
        {"id": number, "key": "'ord_' || id || ':hold'", "event_type": "'ORDER_DEBIT_CONFIRMED'", "phase": "'reserve'"}
        | {"subject": "'ord_' || id", "request_id": "'req_' || id", "effective_at": "at", "recorded_at": "at", **book},
    )
    yield _Rows("ledger_key", "filled", {"key": "'ord_' || id || ':hold'", "transaction_id": number, **book})
    yield _Rows(
        "ledger_posting",
        "filled",
        {"id": number, "transaction_id": number, "position": "1", "kind": "'pending'", "debit_account_id": account}
        | {"credit_account_id": f"2000000 + (n + 1) % {_WALLETS}", "asset": "'EUR'", "amount_minor": "10000", **book},
    )
    ended = f"CASE WHEN {_ENDED} THEN "
    yield _Rows(
        "ledger_hold",
        "filled",
        {"transaction_id": number, "state": f"{ended}'posted' ELSE 'open' END", "ended_by": f"{ended}{number} END"}
        | {"ended_at": f"{ended}at END", **book},
    )
    yield _Rows(
        "ledger_period_change",
        "few",
        {"business_date": "day", "version": "1", "action": "'locked'", "actor": "'user:fred'", **book},
    )


def _closing(orders: int) -> Iterator[_Rows]:
    """A close a day, its files and findings, and statements with their lines and matches."""
    yield _Rows(
        "reconciliation_closerun",
        "few",
        _stateful("cls", "'locked'", business_date="day", window_from="at", window_to="at + interval '1 day'", runs="1")
        | {
            "last_run_at": "at",
            "steps_done": "9",
            "steps_planned": "9",
            "preparer": "'user:fred'",
            "reviewer": "'user:fritz'",
        },
    )
    yield _Rows(
        "reconciliation_closeartifact",
        f"few CROSS JOIN generate_series(1, {MANY}) AS file",
        {"close_reference": "'cls_' || id", "name": "'file' || file || '.csv'", "rows": "10", "size": "100"}
        | {"sha256": "md5(id || file)", "path": "'nowhere/' || id || file"},
    )
    yield _Rows(
        "reconciliation_closefinding",
        f"few JOIN filled AS f ON f.n % 50 = 0 AND f.n > {orders} - 50 * {MANY}",
        {
            "close_reference": "'cls_' || few.id",
            "case_reference": "'exc_' || f.id",
            "found": "true",
            "type": "'missing_trade'",
        }
        | {"subject": "'ord_' || f.id", "order_reference": "'ord_' || f.id", "state": "'open'", "asset": "'EUR'"}
        | {"amount_minor": "10000", "opened_at": "f.at"},
    )
    yield _Rows(
        "reconciliation_closesignature",
        "few CROSS JOIN unnest(ARRAY['preparer', 'reviewer']) AS role",
        {
            "close_reference": "'cls_' || id",
            "role": "role",
            "person": "'user:fred'",
            "comment": "'Looks well.'",
            "run": "1",
        }
        | {"signed_at": "at"},
    )
    yield _Rows(
        "reconciliation_statementsource",
        "few",
        {"id": "1000 + n", "environment": "'test'", "code": "'bank' || n", "name": "'Bank ' || n", "kind": "'bank'"}
        | {"account": "'bank:main'", "asset": "'EUR'", "format": "'csv'", "date_window_days": "3"},
    )
    yield _Rows(
        "reconciliation_statementfile",
        "few",
        _stateful("stf", "'imported'", source_id="1000 + n", name="'day' || n || '.csv'", new_lines="100")
        | {"id": "1000 + n", "sha256": "md5(id)"},
    )
    line = {"source_id": f"1001 + n % {MANY}"}
    yield _Rows(
        "reconciliation_statementline",
        "filled WHERE n % 8 = 0",
        {"id": "10000000 + n", "reference": "'stl_' || id", "environment": "'test'", "file_id": f"1001 + n % {MANY}"}
        | {"number": "n", "line_id": "'line-' || n", "booked_on": "day", "business_date": "day", "asset": "'EUR'"}
        | {"amount_minor": "10000", "our_reference": "'ord_' || id", "partner_order_id": "'shop-' || n"}
        | {"unmatched_because": "CASE n % 400 WHEN 0 THEN 'nothing fits' ELSE '' END", "imported_at": "at", **line},
    )
    yield _Rows(
        "reconciliation_statementmatch",
        "filled WHERE n % 8 = 0 AND n % 400 > 0",
        _stateful("stm", "'standing'", line_id="10000000 + n", transaction_key="'ord_' || id || ':hold'")
        | {"transaction_id": "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid", "rule": "'our_reference'"}
        | {"matched_by": "'system'", **line},
    )


def _partners() -> Iterator[_Rows]:
    """Operators with their keys, gateways and rules; venues, pools and markets."""
    at = {"environment": "'test'"}
    yield _Rows(
        "wallets_operator",
        "few",
        {
            "id": "1000 + n",
            "reference": "'op_' || id",
            "name": "'Shop ' || n",
            "slug": "'shop' || n",
            "kind": "'operator'",
        }
        | {"zone": "'UTC'"},
    )
    yield _Rows(
        "wallets_operatorkey",
        "few",
        {"operator_id": "1000 + n", "label": "'server'", "hint": "'hf_test_' || n", "key_hash": "md5(id)", **at}
        | {"scopes": "'[]'"},
    )
    yield _Rows(
        "wallets_gateway",
        "few",
        {"id": "1000 + n", "operator_id": "1000 + n", "channel": "'wallet'", "base_url": "'https://shop.example'", **at}
        | {
            "wallet_asset": "'EUR'",
            "requery_cap": "3",
            "concurrency": "4",
            "inquiry_concurrency": "6",
            "breaker_failures": "5",
            "paused_until": "CASE n WHEN 1 THEN now() + interval '1 day' END",
        },
    )
    yield _Rows(
        "wallets_gatewaypause",
        "few",
        {"gateway_id": "1000 + n", "reason": "'they asked'", "paused_by": "'user:lena'"}
        | {"expires_at": "now() + interval '1 day'", "lifted_at": "CASE WHEN n > 1 THEN at END"},
    )
    yield _Rows(
        "wallets_inquiry",
        "filled WHERE n % 10 = 0",
        {"gateway_id": f"1001 + n % {MANY}", "kind": "'price'", "subject": "'EUR-USDT'", "request_id": "'req_' || id"}
        | {
            "started_at": "at",
            "duration_ms": "40",
            "http_status": "200",
            "outcome": "'answered'",
            "detail": "'quo_' || n",
        },
    )
    yield _Rows(
        "wallets_breaker",
        "few",
        {"gateway_id": "1000 + n", "failures": "5", "failing_since": "at", "opened_at": "at"}
        | {"open_until": "CASE n WHEN 2 THEN now() + interval '1 minute' END"},
    )
    yield _Rows(
        "wallets_fxrate", "few", {"base_asset": "'EUR'", "quote_asset": "'USD'", "rate": "1.1", "source": "'ecb'"}
    )
    rule = {"code": "'rule' || n", "name": "'Rule ' || n", "flow": "'transfer'", "asset": "'EUR'", "number": "1"}
    state = "CASE n % 4 WHEN 0 THEN 'draft' WHEN 1 THEN 'retired' ELSE 'active' END"
    made = {"made_by": "'user:fred'", "operator_id": "NULL"}
    yield _Rows("wallets_feerule", "few", _stateful("fee", state, phase="'POST'", tiers="'[]'") | rule | made)
    yield _Rows(
        "wallets_limitrule",
        "few",
        _stateful("lim", state, scope="'wallet'", period="'day'", cap_minor="100000") | rule | made,
    )
    yield _Rows("orders_venue", "few", {"id": "1000 + n", "code": "'venue' || n", "gateway_id": "1000 + n", **at})
    yield _Rows(
        "orders_pool",
        "few",
        {
            "id": "1000 + n",
            "code": "'POOL-' || n",
            "kind": "'outside'",
            "venue_id": "1000 + n",
            "cash_asset": "'EUR'",
            **at,
        }
        | {"position_asset": "'USDT'", "minimum_minor": "1", "maximum_minor": "1000000"},
    )
    yield _Rows(
        "orders_poolhalt",
        "few",
        {"pool_id": "1000 + n", "reason": "'maintenance'", "halted_by": "'user:lena'", "lifted_at": "at"},
    )
    yield _Rows(
        "orders_market",
        "few",
        _stateful(
            "mkt", "'open'", code="'RAIN-' || n", question="'Will it rain?'", cash_asset="'EUR'", price_yes="0.5"
        ),
    )


def _busy(orders: int) -> Iterator[_Rows]:
    """What the newest reviewed order and payout have many of, so that a page that asks for each of a record's rows shows."""
    busy = f"filled CROSS JOIN generate_series(11, {MANY}) AS k WHERE n > {orders} - 100 AND n % 50 = 0"
    owner = "CASE n % 100 WHEN 0 THEN 'int_' ELSE 'ord_' END || id"
    event = f"{2 * _EVENT} + n * 100 + k"
    event_reference = "'evt_' || k || id"
    yield _Rows(
        "ledger_move",
        busy,
        {"environment": "'test'", "operator_id": "1", "machine": "'order'", "subject": owner, "sequence": "k"}
        | {"from_state": "'queued'", "to_state": "'processing'", "actor": "'saga'", "cause": "'bench'"},
    )
    yield _Rows(
        "wallets_remoteoperation",
        busy,
        _stateful("rop", "'unknown'", owner=owner, leg="'debit'", leg_version="k", gateway_id="1", asset="'EUR'")
        | {"reference": "'rop_' || k || id", "key": f"{owner} || ':debit:v' || k", "amount_minor": "10000"},
    )
    yield _Rows(
        "wallets_remoteattempt",
        f"(SELECT id AS operation, {MANY} AS k, asked_at AS at FROM wallets_remoteoperation WHERE leg_version > 1) AS o",
        {"operation_id": "operation", "number": "1", "kind": "'ask'", "started_at": "now()", "outcome": "'confirmed'"},
    )
    yield _Rows(
        "ledger_event",
        busy,
        {"id": event, "reference": event_reference, "environment": "'test'", "operator_id": "1", "sequence": "k"}
        | {"topic": "'order.processing'", "aggregate": owner, "public": "true"},
    )
    yield _Rows(
        "webhooks_delivery",
        busy,
        _stateful("dlv", "'delivered'", endpoint_id="1001", event_id=event, event_reference=event_reference)
        | {"reference": "'dlv_' || k || id", "topic": "'order.processing'", "aggregate": owner, "ended_at": "at"},
    )
    yield _Rows(
        "webhooks_deliveryattempt",
        f"(SELECT id AS delivery, now() AS at FROM webhooks_delivery WHERE event_id > {2 * _EVENT}) AS d",
        {"delivery_id": "delivery", "number": "1", "http_status": "200"},
    )
    yield _Rows(
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
    yield _Rows(
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
    yield _Rows("orders_freeze", busy, {"subject": owner, "reason": "'suspicion'", "lifted_at": "at"})
    yield _Rows(
        "orders_reviewnote", busy, {"case_reference": "'rev_' || id", "author": "'user:olga'", "text": "'Asked.'"}
    )
    yield _Rows(
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
    yield _Rows(
        "reconciliation_exceptioncase",
        busy,
        _stateful("exc", "'resolved'", type="'check' || k", order_reference=owner, business_date="day - k")
        | {"reference": "'exc_' || k || id", "subject": owner, "asset": "'EUR'", "amount_minor": "1"},
    )
