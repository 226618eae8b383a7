"""What waits for people, or was decided by them."""

from collections.abc import Iterator

from tests.bench.console_tables.made import ENDED, MANY, Rows, stateful


def rows(orders: int) -> Iterator[Rows]:
    reviewed = "filled WHERE n % 50 = 0"
    state = "CASE state WHEN 'manual_review' THEN 'open' ELSE 'resolved' END"
    yield Rows(
        "orders_reviewcase",
        reviewed,
        stateful(
            "rev", state, subject="CASE n % 100 WHEN 0 THEN 'int_' ELSE 'ord_' END || id", reason="'debit_unknown'"
        )
        | {
            "next_action": "'Look it up.'",
            "asset": "'EUR'",
            "amount_minor": "10000",
            "due_at": "at + interval '4 hours'",
        },
    )
    yield Rows(
        "orders_reviewnote", reviewed, {"case_reference": "'rev_' || id", "author": "'user:olga'", "text": "'Asked.'"}
    )
    yield Rows(
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
    yield Rows(
        "reconciliation_exceptioncase",
        found,
        stateful("exc", f"CASE WHEN {ENDED} THEN 'resolved' ELSE 'open' END", type="'missing_trade'")
        | {"subject": "'ord_' || id", "order_reference": "'ord_' || id", "business_date": "day", "asset": "'EUR'"}
        | {"amount_minor": "10000", "first_action": "'Look at the order.'"},
    )
    yield Rows(
        "reconciliation_exceptionnote",
        found,
        {"case_reference": "'exc_' || id", "author": "'user:fred'", "text": "'Seen.'"},
    )
    yield Rows(
        "orders_freeze",
        "filled WHERE n % 97 = 0",
        {"subject": "'ord_' || id", "reason": "'suspicion'", "frozen_by": "'user:lena'", "lifted_at": "at"},
    )
    yield Rows(
        "orders_stalefinding",
        f"filled WHERE n > {orders} - {MANY}",
        {"subject": "'ord_' || id", "kind": "'order'", "environment": "'test'", "state": "state", "done": "'driven'"}
        | {"times": "1"},
    )
    yield Rows(
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
