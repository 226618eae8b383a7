"""A close a day, its files and findings, and statements with their lines and matches."""

from collections.abc import Iterator

from tests.bench.console_tables.made import MANY, Rows, stateful


def rows(orders: int) -> Iterator[Rows]:
    yield Rows(
        "reconciliation_closerun",
        "few",
        stateful("cls", "'locked'", business_date="day", window_from="at", window_to="at + interval '1 day'", runs="1")
        | {
            "last_run_at": "at",
            "steps_done": "9",
            "steps_planned": "9",
            "preparer": "'user:fred'",
            "reviewer": "'user:fritz'",
        },
    )
    yield Rows(
        "reconciliation_closeartifact",
        f"few CROSS JOIN generate_series(1, {MANY}) AS file",
        {"close_reference": "'cls_' || id", "name": "'file' || file || '.csv'", "rows": "10", "size": "100"}
        | {"sha256": "md5(id || file)", "path": "'nowhere/' || id || file"},
    )
    yield Rows(
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
    yield Rows(
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
    yield Rows(
        "reconciliation_statementsource",
        "few",
        {"id": "1000 + n", "environment": "'test'", "code": "'bank' || n", "name": "'Bank ' || n", "kind": "'bank'"}
        | {"account": "'bank:main'", "asset": "'EUR'", "format": "'csv'", "date_window_days": "3"},
    )
    yield Rows(
        "reconciliation_statementfile",
        "few",
        stateful("stf", "'imported'", source_id="1000 + n", name="'day' || n || '.csv'", new_lines="100")
        | {"id": "1000 + n", "sha256": "md5(id)"},
    )
    line = {"source_id": f"1001 + n % {MANY}"}
    yield Rows(
        "reconciliation_statementline",
        "filled WHERE n % 8 = 0",
        {"id": "10000000 + n", "reference": "'stl_' || id", "environment": "'test'", "file_id": f"1001 + n % {MANY}"}
        | {"number": "n", "line_id": "'line-' || n", "booked_on": "day", "business_date": "day", "asset": "'EUR'"}
        | {"amount_minor": "10000", "our_reference": "'ord_' || id", "partner_order_id": "'shop-' || n"}
        | {"unmatched_because": "CASE n % 400 WHEN 0 THEN 'nothing fits' ELSE '' END", "imported_at": "at", **line},
    )
    yield Rows(
        "reconciliation_statementmatch",
        "filled WHERE n % 8 = 0 AND n % 400 > 0",
        stateful("stm", "'standing'", line_id="10000000 + n", transaction_key="'ord_' || id || ':hold'")
        | {"transaction_id": "('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid", "rule": "'our_reference'"}
        | {"matched_by": "'system'", **line},
    )
