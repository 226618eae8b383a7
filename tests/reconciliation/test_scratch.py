"""The files of a close loaded into a database of their own: the seed's sample query runs there, and everything rejoins."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from ledger.controls import clock
from orders.models import ReviewCase
from orders.operations import review_case
from orders.operations.return_trade import return_trade
from reconciliation import scratch
from tests.orders.desk import trade_of
from tests.reconciliation.day import DATE, Day

SAMPLE_EXCEPTION_QUERY = """
select
  t.transact_id,
  t.quote_id,
  t.status,
  l.ledger_entry_id
from pool_trades t
left join ledger_entries l on l.transact_id = t.transact_id
where t.status in ('settled', 'returned', 'released')
  and l.ledger_entry_id is null;
"""
"""0Pools, "Sample exception query", word for word."""


@pytest.fixture
def empty(superuser_connection: psycopg.Connection) -> Iterator[psycopg.Connection[Any]]:
    """A database beside the tests'."""
    superuser_connection.execute("DROP DATABASE IF EXISTS close_scratch WITH (FORCE)")
    superuser_connection.execute("CREATE DATABASE close_scratch")
    told = superuser_connection.info
    there = make_conninfo(told.dsn, dbname="close_scratch", password=told.password or None)
    with psycopg.connect(there, autocommit=True) as connection:
        yield connection
    superuser_connection.execute("DROP DATABASE close_scratch WITH (FORCE)")


def _numbers(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    return connection.execute(query).fetchall()


def test_the_sample_query_runs_word_for_word_and_everything_rejoins(day: Day, empty: psycopg.Connection[Any]) -> None:
    sound = [day.processed(), day.processed("250.50", pool="EUR-ETH"), day.failed(), day.compensated()]
    returned = day.processed()
    found = return_trade(trade_reference=trade_of(returned).reference, reason="x", actor="user:l", now=clock.now())
    case = ReviewCase.objects.get(subject=found.reference)
    review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="adjust",
        reason="x",
        actor="user:o",
        now=clock.now(),
    )
    bare = day.processed()
    day.plant(
        "DELETE FROM ledger_posting p USING ledger_transaction x WHERE p.transaction_id = x.id AND x.subject = %s",
        bare.reference,
    )
    day.refold()
    day.desk.clock.move_to(day.desk.clock.now().replace(hour=1) + timedelta(days=1))
    report = day.close()
    assert day.standing() == {("webhook_without_ledger_row", trade_of(bare).reference)}

    rows = scratch.load(connection=empty, folder=report.folder)
    assert rows == dict(report.records)
    assert _numbers(empty, SAMPLE_EXCEPTION_QUERY) == [
        (trade_of(bare).reference, bare.quote_reference, "settled", None)
    ]

    assert sorted(_numbers(empty, "SELECT DISTINCT current_status FROM trades")) == [
        *(("failed",), ("released",), ("returned",), ("settled",)),
    ]
    # every ledger entry of a trade joins to a trade, quote and partner order
    (unjoined,) = _numbers(
        empty,
        "SELECT count(*) FROM ledger l LEFT JOIN trades t ON t.transact_id = l.trade_id"
        " LEFT JOIN quotes q ON q.quote_id = t.quote_id"
        " LEFT JOIN reconciliation r ON r.transact_id = t.transact_id"
        " LEFT JOIN orders o ON o.partner_order_id = r.partner_order_id"
        " WHERE l.trade_id <> '' AND (t.transact_id IS NULL OR q.quote_id IS NULL OR o.partner_order_id IS NULL)",
    )
    assert unjoined == (0,)
    # and every order to its quote, trade and terminal event
    (apart,) = _numbers(
        empty,
        "SELECT count(*) FROM orders o LEFT JOIN reconciliation r ON r.order_id = o.order_id"
        " LEFT JOIN quotes q ON q.quote_id = r.quote_id LEFT JOIN trades t ON t.transact_id = r.transact_id"
        " LEFT JOIN events e ON e.event_id = r.event_id AND e.transact_id = t.transact_id AND e.status = t.current_status"
        " WHERE r.order_id IS NULL OR q.quote_id IS NULL OR t.transact_id IS NULL OR e.event_id IS NULL",
    )
    assert apart == (0,)
    states = dict(_numbers(empty, "SELECT order_id, reconciliation FROM reconciliation"))
    assert states == {
        **{order.reference: "matched" for order in [*sound, returned]},
        bare.reference: "exception",
    }
    # the trial balance balances, and says what the ledger's rows add up to
    for asset, debits, credits in _numbers(
        empty, "SELECT asset, sum(debit_balance::numeric), sum(credit_balance::numeric) FROM trial_balance GROUP BY 1"
    ):
        assert debits == credits, asset
    turnover = dict(_numbers(empty, "SELECT asset, sum(debits::numeric) FROM trial_balance GROUP BY 1"))
    posted = dict(
        _numbers(
            empty,
            "SELECT asset, sum(amount::numeric) FROM ledger WHERE posting_kind IN ('posted', 'post') GROUP BY 1",
        )
    )
    assert {asset: Decimal(total) for asset, total in turnover.items() if total} == posted
    # the movement report counts every order once
    (told,) = _numbers(
        empty,
        "SELECT sum(movements::int), sum(movements::int) FILTER (WHERE reconciliation = 'exception') FROM movement_report",
    )
    assert told == (len(sound) + 2, 1)
    (moves,) = _numbers(empty, f"SELECT count(*) FROM moves WHERE moved_time::timestamptz::date <> '{DATE}'")
    assert moves == (0,)
