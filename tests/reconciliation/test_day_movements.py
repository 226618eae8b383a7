"""What a locked date moved is kept, and a later balance checked from there: it comes to the same."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from reconciliation import (
    close_runs,
    day_movements,
    signing,
)
from reconciliation.models import CloseRun, DayMovement
from reconciliation.windows import Parameters, Window, window_of
from tests.orders.desk import reloaded
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import over

pytestmark = pytest.mark.usefixtures("database")


def test_a_balance_is_checked_from_the_last_locked_date_and_comes_to_the_same(day: Day) -> None:
    """The kept sums and what came since are the fold of every posting; what is wrong is found all the same."""
    day.processed()
    day.in_review()
    held = day.desk.order()
    over(day)
    close = day.close().close
    day.plant("UPDATE reconciliation_closerun SET state = 'locked' WHERE id = %s", close.pk)
    signing.finish_locked(CloseRun.objects.get(pk=close.pk))
    assert DayMovement.objects.filter(close_reference=close.reference).exists()
    day.desk.drive(passes=3, pause=timedelta(seconds=1))  # ends a hold of the kept date, in the next
    assert reloaded(held).state == "failed"
    tomorrow = DATE + timedelta(days=1)
    window = window_of(environment="test", business_date=tomorrow)
    kept = day_movements.kept_before(window)
    assert (kept["kept_from"], kept["kept_to"]) == (close.window_from, close.window_to)
    whole = _sums(window, {"kept_from": "-infinity", "kept_to": "-infinity"})
    since = _sums(window, kept)
    assert set(since) < set(whole)
    for row in DayMovement.objects.all():
        four = (row.debits_posted, row.credits_posted, row.debits_pending, row.credits_pending)
        before = since.get(row.account_id, (0, 0, 0, 0))
        since[row.account_id] = tuple(map(sum, zip(before, four, strict=True)))
    assert since == whole
    assert day.close(tomorrow).breaks["balance_is_not_the_fold"] == 0
    day.plant("UPDATE reconciliation_daymovement SET debits_posted = debits_posted + 1")
    assert day.close(tomorrow).breaks["balance_is_not_the_fold"] == 0, (
        "whoever disagrees is summed from the first posting"
    )
    day.plant("UPDATE ledger_account SET credits_posted = credits_posted + 5 WHERE address LIKE 'pools:%%'")
    assert day.close(tomorrow).breaks["balance_is_not_the_fold"] > 0


def test_kept_dates_count_only_in_an_unbroken_run(day: Day) -> None:
    for offset in range(4):
        close_runs.ensure(environment="test", business_date=DATE - timedelta(days=offset))
    kept = CloseRun.objects.exclude(business_date=DATE - timedelta(days=2))
    day.plant(
        "UPDATE reconciliation_closerun SET state = 'locked', movements_kept_at = window_to WHERE id = ANY(%s)",
        list(kept.values_list("pk", flat=True)),
    )
    after = window_of(environment="test", business_date=DATE + timedelta(days=1))
    found = day_movements.kept_before(after)
    assert found["kept_from"] == window_of(environment="test", business_date=DATE - timedelta(days=1)).start
    assert found["kept_to"] == after.start
    within = day_movements.kept_before(window_of(environment="test", business_date=DATE - timedelta(days=3)))
    assert within == {"kept_from": "-infinity", "kept_to": "-infinity"}


def _sums(window: Window, kept: Parameters) -> dict[int, tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(day_movements.SINCE, {**window.parameters(), **kept})
        return {row[0]: tuple(row[1:5]) for row in cursor.fetchall()}
