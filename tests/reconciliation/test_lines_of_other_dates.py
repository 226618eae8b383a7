"""A statement's line is looked at in its date's close: be that before the book's first record, or long ago."""

from datetime import timedelta

import pytest

from ledger.controls import clock, drains
from reconciliation.models import CloseRun, StatementLine
from reconciliation.statements import matches
from tests.orders.desk import START
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.statements import HEADER, bring, operator_source, text

pytestmark = pytest.mark.usefixtures("database")


def test_a_line_from_before_the_books_first_record_is_found_by_its_dates_close(day: Day) -> None:
    before = DATE - timedelta(days=3)
    bring(operator_source(), text(HEADER, [f"t1,{before.isoformat()},7.00,debit,,,W-77"]))
    day.desk.clock.move_to(START + timedelta(days=1))
    drains.drain("closes")
    line = StatementLine.objects.get()
    assert day.standing() == {("statement_line_unmatched", line.reference)}
    assert set(CloseRun.objects.values_list("business_date", flat=True)) == {before, DATE}


def test_a_line_of_a_date_that_is_run_no_more_has_it_run_again(day: Day) -> None:
    day.processed()
    for days in (1, 40):
        day.desk.clock.move_to(START + timedelta(days=days))
        drains.drain("closes")
    assert CloseRun.objects.get(business_date=DATE).available_at is None
    bring(operator_source(), text(HEADER, [f"t1,{DATE.isoformat()},7.00,debit,,,W-77"]))
    drains.drain("closes")
    assert day.standing() == {("statement_line_unmatched", StatementLine.objects.get().reference)}


def test_a_match_taken_away_from_a_line_of_such_a_date_has_it_run_again(day: Day) -> None:
    order = day.processed()
    line = f"t1,{DATE.isoformat()},100.00,debit,,{order.reference}:debit:v1,"
    bring(operator_source(), text(HEADER, [line]))
    for days in (1, 40):
        day.desk.clock.move_to(START + timedelta(days=days))
        drains.drain("closes")
    assert day.standing() == set()
    one = StatementLine.objects.get()
    matches.undo(line_reference=one.reference, reason="another's", actor="user:fay", now=clock.now())
    drains.drain("closes")
    assert day.standing() == {("statement_line_unmatched", one.reference)}
