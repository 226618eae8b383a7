"""The five files: headers, cells, exact amounts, the same bytes again, and a manifest that adds up."""

import hashlib
import json
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection

from ledger.models import Posting, Transaction
from orders.models import Quote
from reconciliation import totals
from reconciliation.artifact_registry import every_artifact
from reconciliation.models import CloseArtifact
from tests.local.rows_read import rows_read
from tests.orders.desk import START, reloaded, trade_of
from tests.reconciliation.day import DATE, Day

# DESIGN.md section 9, word for word; our own columns follow at the right
HEADERS = {
    "orders.csv": "partner_order_id,user_reference,created_time,product_state",
    "quotes.csv": "quote_id,pool_id,source_amount,target_amount,expiry,accepted_time",
    "trades.csv": "transact_id,quote_id,idempotency_key,current_status,terminal_time",
    "events.csv": "event_id,transact_id,status,received_time,processed_time",
    "ledger.csv": "ledger_id,trade_id,entry_type,asset,amount,effective_time",
    "reconciliation.csv": "order_id,pool_id,quote_id,transact_id,status,fiat_amount,crypto_amount,request_id,event_id",
    "moves.csv": "moved_time,machine,subject,sequence,from_state,to_state",
    "exceptions.csv": "exception_id,type,subject,order_id,state,owner,next_review_date",
    "trial_balance.csv": "gl_code,account_class,asset,debits,credits,debit_balance,credit_balance",
    "movement_report.csv": "operator_id,pool_id,flow,status,reconciliation,movements",
}
LOCKED = "2026-03-14T09:00:00.000000Z"


def test_files_begin_with_the_designs_headers(day: Day) -> None:
    report = day.close()
    assert [artifact.name for artifact in every_artifact()] == list(HEADERS)
    for name, header in HEADERS.items():
        first = (report.folder / name).read_text(encoding="utf-8").splitlines()[0]
        assert f"{first},".startswith(f"{header},")
    assert sorted(path.name for path in report.folder.iterdir()) == sorted([*HEADERS, "manifest.json"])
    assert {path.stat().st_mode & 0o777 for path in report.folder.iterdir()} == {0o600}


def test_files_tell_one_order_from_quote_to_postings(day: Day) -> None:
    order = day.processed()
    trade = trade_of(order)
    quote = Quote.objects.get(reference=order.quote_reference)
    day.close()

    (ordered,) = day.rows("orders.csv")
    assert ordered["partner_order_id"] == order.partner_order_id
    assert ordered["user_reference"] == "alice"
    assert ordered["created_time"] == LOCKED
    assert ordered["product_state"] == "processed"
    assert (ordered["source_asset"], ordered["source_amount"]) == ("EUR", "100.00")
    assert ordered["operator_id"] == day.desk.caller.operator_reference

    (quoted,) = day.rows("quotes.csv")
    assert (quoted["quote_id"], quoted["pool_id"], quoted["source_amount"]) == (quote.reference, "EUR-USDT", "100.00")
    assert quoted["target_amount"] == f"{Decimal(quote.target_minor).scaleb(-6):.6f}"
    assert (quoted["expiry"], quoted["accepted_time"]) == ("2026-03-14T09:00:30.000000Z", LOCKED)

    (traded,) = day.rows("trades.csv")
    assert (traded["transact_id"], traded["quote_id"]) == (trade.reference, quote.reference)
    assert (traded["idempotency_key"], traded["current_status"]) == (order.idempotency_key, "settled")
    assert traded["terminal_time"] == LOCKED

    events = day.rows("events.csv")
    assert [(row["transact_id"], row["status"]) for row in events] == [
        (trade.reference, "reserved"),
        (trade.reference, "settled"),
    ]
    assert {row["processed_time"] for row in events} == {LOCKED}

    postings = [row for row in day.rows("ledger.csv") if row["order_id"] == order.reference]
    assert {row["ledger_id"] for row in postings} == {
        posting.reference for posting in Posting.objects.filter(transaction__subject=order.reference)
    }
    assert {row["trade_id"] for row in postings} == {trade.reference}
    assert [row["entry_type"] for row in postings].count("TRADE_SETTLE:settle") == 4
    reserved = {(row["asset"], row["amount"]) for row in postings if row["entry_type"] == "TRADE_RESERVE:reserve"}
    settled = {(row["asset"], row["amount"]) for row in postings if row["entry_type"] == "TRADE_SETTLE:settle"}
    assert reserved == settled
    (debited,) = [row for row in postings if row["entry_type"] == "ORDER_DEBIT_CONFIRMED:plain"]
    assert (debited["asset"], debited["amount"]) == ("EUR", "100.00")


def test_void_postings_are_rows_too(day: Day) -> None:
    order = day.failed()
    day.close()
    kinds = [row["posting_kind"] for row in day.rows("ledger.csv") if row["order_id"] == order.reference]
    assert kinds == ["pending"] * 4 + ["void"] * 4


def test_eighteen_decimals_are_exact(day: Day) -> None:
    order = day.processed("123.45", pool="EUR-ETH")
    day.close()
    (ordered,) = day.rows("orders.csv")
    digits = str(order.target_minor).rjust(19, "0")
    assert ordered["target_amount"] == f"{digits[:-18]}.{digits[-18:]}"
    given = [row for row in day.rows("ledger.csv") if row["order_id"] == order.reference and row["asset"] == "ETH"]
    assert {row["amount"] for row in given} == {ordered["target_amount"]}


@pytest.mark.parametrize(
    ("minor", "scale", "text"),
    [
        (0, 18, "0.000000000000000000"),
        (1, 18, "0.000000000000000001"),
        (10**18, 18, "1.000000000000000000"),
        (10**39 - 1, 18, "999999999999999999999.999999999999999999"),
        (2**128 - 1, 0, "340282366920938463463374607431768211455"),
        (2**128 - 1, 18, "340282366920938463463.374607431768211455"),
        (105, 2, "1.05"),
        (1, 3, "0.001"),
        (500, 0, "500"),
    ],
)
def test_amounts_have_exactly_their_scale(
    application_connection: psycopg.Connection, minor: int, scale: int, text: str
) -> None:
    found = application_connection.execute(
        "SELECT close_amount(%s::numeric, %s::smallint)", [str(minor), scale]
    ).fetchone()
    assert found == (text,)


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_text_cell_is_a_formula(day: Day, evil: str) -> None:
    order = day.processed()
    day.plant("UPDATE orders_order SET partner_order_id = %s WHERE reference = %s", evil, order.reference)
    day.plant("UPDATE orders_trade SET idempotency_key = %s WHERE order_reference = %s", evil, order.reference)
    day.close()
    assert day.rows("orders.csv")[0]["partner_order_id"] == f"'{evil}"
    assert day.rows("trades.csv")[0]["idempotency_key"] == f"'{evil}"


def test_text_with_quotes_commas_and_lines_loads_again(day: Day) -> None:
    order = day.processed()
    odd = 'a "b", c\nd; é€'
    day.plant("UPDATE orders_order SET user_reference = %s WHERE reference = %s", odd, order.reference)
    day.close()
    assert day.rows("orders.csv")[0]["user_reference"] == odd


def test_states_are_those_of_the_run_and_rows_those_of_the_window(day: Day) -> None:
    early = day.processed()
    day.desk.clock.move_to(START.replace(hour=23, minute=59, second=59))
    late = day.desk.order()
    (before,) = [row for row in _closed_rows(day) if row["order_id"] == late.reference]
    assert before["product_state"] == "queued"
    day.after_midnight()
    day.desk.drive(passes=2, pause=timedelta(seconds=1))
    assert reloaded(late).state == "processed"

    rows = _closed_rows(day)
    assert [(row["order_id"], row["product_state"]) for row in rows] == [
        (early.reference, "processed"),
        (late.reference, "processed"),
    ]
    subjects = {row["order_id"] for row in day.rows("ledger.csv") if row["trade_id"]}
    assert subjects == {early.reference, late.reference}
    tomorrow = DATE + timedelta(days=1)
    day.close(tomorrow)
    assert [row["order_id"] for row in day.rows("orders.csv", tomorrow)] == [late.reference]
    assert {row["entry_type"] for row in day.rows("ledger.csv", tomorrow)} == {
        "ORDER_DEBIT_CONFIRMED:plain",
        "TRADE_SETTLE:settle",
    }


def test_a_gap_in_deliveries_has_no_processed_time(day: Day) -> None:
    order = day.processed()
    trade = trade_of(order)
    for state, endpoint in (("delivered", 1), ("pending", 2)):
        day.plant(
            "INSERT INTO webhooks_delivery (reference, environment, operator_id, version, created_at, updated_at, state,"
            " endpoint_id, event_id, event_reference, topic, aggregate, sequence, attempts, available_at, lease_token,"
            " ended_at) SELECT %s, environment, operator_id, 1, recorded_at, recorded_at, %s, %s, id, reference, topic,"
            " aggregate, sequence, 1, recorded_at, '', recorded_at + interval '1 second' FROM ledger_event"
            " WHERE aggregate = %s AND topic = 'trade.settled'",
            f"dlv_{endpoint}",
            state,
            endpoint,
            trade.reference,
        )
    day.desk.later(minutes=1)
    day.close()
    assert [row["processed_time"] for row in day.rows("events.csv")] == [LOCKED, ""]
    day.plant("UPDATE webhooks_delivery SET state = 'delivered'")
    day.close()
    assert [row["processed_time"] for row in day.rows("events.csv")] == [LOCKED, "2026-03-14T09:00:01.000000Z"]


def test_the_manifest_adds_up(day: Day) -> None:
    day.processed("100.00")
    day.processed("50.25")
    day.failed()
    report = day.close()
    manifest = json.loads((report.folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["environment"], manifest["business_date"], manifest["provisional"]) == ("test", "2026-03-14", True)
    assert manifest["window"] == {"from": "2026-03-14T00:00:00Z", "to": "2026-03-15T00:00:00Z"}
    listed = {artifact.name: artifact for artifact in CloseArtifact.objects.all()}
    for file in manifest["files"]:
        body = (report.folder / file["name"]).read_bytes()
        row = listed.pop(file["name"])
        assert file["sha256"] == row.sha256 == hashlib.sha256(body).hexdigest()
        assert file["bytes"] == row.size == len(body)
        assert file["rows"] == row.rows == len(day.rows(file["name"]))
        assert row.path == f"test/2026-03-14/{file['name']}"
    assert set(listed) == {"manifest.json"}
    sums = {file["name"]: file["control_totals"] for file in manifest["files"]}
    assert sums["orders.csv"]["product_state"] == {"failed": "1", "processed": "2"}
    assert sums["orders.csv"]["source_amount"] == {"EUR": "250.25"}
    assert sums["trades.csv"] == {"current_status": {"released": "1", "settled": "2"}}
    assert sums["quotes.csv"]["status"] == {"accepted": "3"}
    ledger = day.rows("ledger.csv")
    for asset, total in sums["ledger.csv"]["amount"].items():
        assert Decimal(total) == sum(Decimal(row["amount"]) for row in ledger if row["asset"] == asset)
    assert set(manifest["zero_sum"].values()) <= {"0.00", "0.000000", "0.000000000000000000"}


def test_the_zero_sum_shows_a_posting_that_hangs_in_the_air(day: Day) -> None:
    order = day.processed()
    assert set(totals.zero_sum("test").values()) == {0}
    day.plant(
        "UPDATE ledger_posting SET credit_account_id = 0 WHERE transaction_id = ANY (%s)",
        list(
            Transaction.objects.filter(subject=order.reference, event_type="ORDER_DEBIT_CONFIRMED").values_list(
                "pk", flat=True
            )
        ),
    )
    assert totals.zero_sum("test")["EUR"] == -10_000
    assert day.close().zero_sum["EUR"] == -10_000


def _closed_rows(day: Day) -> list[dict[str, str]]:
    day.close()
    return day.rows("orders.csv")


def test_a_day_of_many_exceptions_reads_each_finding_about_once(day: Day) -> None:
    """Also by a plan that was made when a close had one exception or none."""
    _plant_findings(day, "'cls_' || n", 500)
    day.superuser.execute("ANALYZE reconciliation_closefinding")
    for _ in range(20):
        day.processed("10.00")
    close = day.close().close.reference
    _plant_findings(day, f"'{close}'", 3000)

    days = {"from": START - timedelta(days=1), "to": START + timedelta(days=1), "as_of": START + timedelta(days=1)}
    looking_up = [one for one in every_artifact() if one.name in ("reconciliation.csv", "movement_report.csv")]
    assert len(looking_up) == 2
    for artifact in looking_up:
        with rows_read("reconciliation_closefinding") as findings, connection.cursor() as cursor:
            cursor.execute(artifact.query, {"environment": "test", "close": close, **days})
            assert cursor.rowcount > 0
        assert findings.rows < 100, artifact.name


def _plant_findings(day: Day, close: str, count: int) -> None:
    day.plant(
        "INSERT INTO reconciliation_closefinding (close_reference, case_reference, found, type, subject, order_reference,"
        " state, owner, asset, amount_minor, first_action, reason, resolution, opened_at)"
        f" SELECT {close}, 'exc_{count}_' || n, true, 'missing_webhook', 'x', 'ord_{count}_' || n, 'open', '', 'EUR', 1, '',"
        f" '', '', now() FROM generate_series(1, {count}) AS n"
    )
