"""An account for each wallet, and a hold with one posting for each order."""

from collections.abc import Iterator

from tests.bench.console_tables.made import ENDED, WALLETS, Rows


def rows() -> Iterator[Rows]:
    book = {"book_id": "(SELECT id FROM ledger_book WHERE environment = 'test')"}
    number = "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid"
    account = f"2000000 + n % {WALLETS}"
    yield Rows(
        "ledger_account",
        f"(SELECT 0 AS n, now() AS at UNION ALL SELECT n, at FROM filled WHERE n <= {WALLETS}) AS filled"
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
    yield Rows(
        "ledger_transaction",
        "filled",
        {"id": number, "key": "'ord_' || id || ':hold'", "event_type": "'ORDER_DEBIT_CONFIRMED'", "phase": "'reserve'"}
        | {"subject": "'ord_' || id", "request_id": "'req_' || id", "effective_at": "at", "recorded_at": "at", **book},
    )
    yield Rows("ledger_key", "filled", {"key": "'ord_' || id || ':hold'", "transaction_id": number, **book})
    yield Rows(
        "ledger_posting",
        "filled",
        {"id": number, "transaction_id": number, "position": "1", "kind": "'pending'", "debit_account_id": account}
        | {"credit_account_id": f"2000000 + (n + 1) % {WALLETS}", "asset": "'EUR'", "amount_minor": "10000", **book},
    )
    ended = f"CASE WHEN {ENDED} THEN "
    yield Rows(
        "ledger_hold",
        "filled",
        {"transaction_id": number, "state": f"{ended}'posted' ELSE 'open' END", "ended_by": f"{ended}{number} END"}
        | {"ended_at": f"{ended}at END", **book},
    )
    yield Rows(
        "ledger_period_change",
        "few",
        {"business_date": "day", "version": "1", "action": "'locked'", "actor": "'user:fred'", **book},
    )
