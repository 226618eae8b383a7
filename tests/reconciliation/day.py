"""A business date for tests: orders by real moves, breaks planted by the superuser, closes run on the test's clock."""

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
from django.db import transaction as db_transaction

from ledger.controls import clock
from orders.models import Order, Pool
from orders.operations.halt_pool import halt_pool, lift_halt
from orders.sagas import buy
from reconciliation import close_runs
from reconciliation.close_runs import Report
from reconciliation.models import ExceptionCase
from tests.orders.desk import START, Desk, reloaded
from tests.orders.wallet import declined, lost_before

DATE = START.date()

_REFOLD: LiteralString = """
UPDATE ledger_account a SET debits_posted = coalesce(f.dp, 0), credits_posted = coalesce(f.cp, 0),
                            debits_pending = coalesce(f.dq, 0), credits_pending = coalesce(f.cq, 0)
FROM ledger_account b
LEFT JOIN (
    SELECT side.account_id, sum(e.posted) FILTER (WHERE side.is_debit) AS dp,
           sum(e.posted) FILTER (WHERE NOT side.is_debit) AS cp, sum(e.pending) FILTER (WHERE side.is_debit) AS dq,
           sum(e.pending) FILTER (WHERE NOT side.is_debit) AS cq
    FROM ledger_posting p
    LEFT JOIN ledger_posting q ON q.id = p.pending_id
    CROSS JOIN LATERAL (SELECT CASE WHEN p.kind IN ('posted', 'post') THEN p.amount_minor ELSE 0 END AS posted,
                               CASE p.kind WHEN 'posted' THEN 0 WHEN 'pending' THEN p.amount_minor
                                           ELSE -coalesce(q.amount_minor, 0) END AS pending) e
    CROSS JOIN LATERAL (VALUES (p.debit_account_id, true), (p.credit_account_id, false)) AS side (account_id, is_debit)
    GROUP BY side.account_id) f ON f.account_id = b.id
WHERE a.id = b.id
"""


@dataclass
class Day:
    desk: Desk
    superuser: psycopg.Connection
    files: Path

    def processed(self, amount: str = "100.00", *, pool: str = "EUR-USDT") -> Order:
        self.desk.wallet.script = []
        order = self.desk.order(amount, pool=pool)
        self.desk.drive(passes=2, pause=timedelta(seconds=1))
        order = reloaded(order)
        assert order.state == "processed"
        return order

    def failed(self) -> Order:
        self.desk.wallet.script = [declined]
        order = self.desk.order()
        self.desk.drive(passes=2, pause=timedelta(seconds=1))
        assert reloaded(order).state == "failed"
        return reloaded(order)

    def compensated(self) -> Order:
        """The pool is halted between debit and trade."""
        self.desk.wallet.script = []
        order = self.desk.order()
        for state in ("processing", "operator_debit_pending", "operator_debited"):
            buy.advance(reloaded(order))
            assert reloaded(order).state == state
        pool = Pool.objects.get(environment="test", code=order.pool_code)
        with db_transaction.atomic():
            halt_pool(pool=pool, reason="test", actor="user:ops", now=clock.now())
        self.desk.drive(passes=3, pause=timedelta(seconds=1))
        with db_transaction.atomic():
            lift_halt(pool=pool, actor="user:ops", now=clock.now())
        assert reloaded(order).state == "compensated"
        return reloaded(order)

    def in_review(self) -> Order:
        self.desk.wallet.script = [lost_before]
        order = self.desk.order()
        self.desk.drive(passes=12)
        assert reloaded(order).state == "manual_review"
        return reloaded(order)

    def plant(self, statement: LiteralString, *values: object) -> None:
        """Break (or mend) records, past every trigger and right."""
        assert self.superuser.execute(statement, values).rowcount > 0

    def refold(self) -> None:
        """Make every balance the fold of the postings again: a planted posting is then wrong from its birth."""
        self.superuser.execute("DELETE FROM ledger_delta")
        self.superuser.execute(_REFOLD)

    def close(self, day: date = DATE) -> Report:
        return close_runs.run(close=close_runs.ensure(environment="test", business_date=day))

    def standing(self) -> set[tuple[str, str]]:
        live = ExceptionCase.objects.filter(state__in=["open", "assigned"])
        return set(live.values_list("type", "subject"))

    def rows(self, name: str, day: date = DATE) -> list[dict[str, str]]:
        with (self.files / "test" / day.isoformat() / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def after_midnight(self, *, days: int = 1) -> None:
        """Move the clock into the night after the date."""
        tomorrow = START.replace(hour=0, minute=5) + timedelta(days=days)
        self.desk.clock.move_to(tomorrow)
