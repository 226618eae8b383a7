"""Close runs: one per book and date, provisional until the day is over, leased, and told when they fail."""

from datetime import date, timedelta

import pytest

from ledger.controls import clock, drains
from ledger.models import Transaction
from reconciliation import close_runs, findings, leases, making_again, proving, schedule
from reconciliation.close_runs import DateNotBegun
from reconciliation.models import CloseRun
from tests.local.rows_read import rows_read
from tests.orders.desk import START
from tests.reconciliation.day import DATE, Day


def _dates() -> list[tuple[str, date]]:
    return list(CloseRun.objects.order_by("environment", "business_date").values_list("environment", "business_date"))


def test_a_close_is_provisional_until_its_day_is_over(day: Day) -> None:
    day.processed()
    assert day.close().close.provisional is True
    day.after_midnight()
    assert day.close().close.provisional is False
    assert CloseRun.objects.get().runs == 2


def test_ensuring_twice_makes_one(day: Day) -> None:
    first = close_runs.ensure(environment="test", business_date=DATE)
    assert close_runs.ensure(environment="test", business_date=DATE).reference == first.reference
    assert close_runs.ensure(environment="live", business_date=DATE).reference != first.reference
    assert CloseRun.objects.count() == 2


def test_a_date_that_has_not_begun_is_refused(day: Day) -> None:
    with pytest.raises(DateNotBegun):
        close_runs.ensure(environment="test", business_date=DATE + timedelta(days=1))
    assert CloseRun.objects.count() == 0


def test_a_close_is_refused_while_another_runs_it(day: Day) -> None:
    close = close_runs.ensure(environment="test", business_date=DATE)
    token = leases.take(close)
    with pytest.raises(leases.CloseBusy):
        close_runs.run(close=close)
    day.desk.later(minutes=16)
    assert close_runs.run(close=close).close.runs == 1
    with pytest.raises(leases.LeaseLost):
        leases.keep(close, token)


@pytest.mark.parametrize("state", ["in_review", "signed", "locked"])
def test_a_close_is_refused_when_it_is_no_longer_open(day: Day, state: str) -> None:
    close = close_runs.ensure(environment="test", business_date=DATE)
    day.plant("UPDATE reconciliation_closerun SET state = %s", state)
    with pytest.raises(leases.CloseNotOpen):
        close_runs.run(close=close)
    assert CloseRun.objects.get().runs == 0


def test_a_failed_run_is_noted_and_waits(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    day.processed()
    day.after_midnight()
    monkeypatch.setattr(findings, "search", _raise)
    with pytest.raises(ZeroDivisionError):
        drains.drain("closes")
    close = CloseRun.objects.get()
    assert (close.attempts, close.runs, close.lease_token) == (1, 0, "")
    assert close.last_error == "ZeroDivisionError: the check is broken"
    assert close.available_at == clock.now() + timedelta(minutes=1)
    assert [path.name for path in (day.files / "test" / "2026-03-14").iterdir()] == []
    monkeypatch.undo()
    assert drains.drain("closes") == 0
    day.desk.later(minutes=2)
    assert drains.drain("closes") == 1
    assert CloseRun.objects.get().attempts == 0


def test_missed_dates_are_made_up_when_the_scheduler_slept(day: Day) -> None:
    day.processed()
    day.desk.clock.move_to(START + timedelta(days=4))
    assert schedule.depth() == 4
    assert drains.drain("closes") == 4
    assert _dates() == [("test", DATE + timedelta(days=offset)) for offset in range(4)]
    assert set(CloseRun.objects.values_list("runs", "provisional")) == {(1, False)}
    assert schedule.depth() == 0
    assert drains.drain("closes") == 0


def test_a_gap_before_a_close_by_hand_is_made_up(day: Day) -> None:
    day.processed()
    day.desk.clock.move_to(START + timedelta(days=3))
    day.close(DATE + timedelta(days=2))
    drains.drain("closes")
    assert [when for _, when in _dates()] == [DATE + timedelta(days=offset) for offset in range(3)]


def test_a_book_without_records_has_no_closes(day: Day) -> None:
    day.desk.clock.move_to(START + timedelta(days=2))
    drains.drain("closes")
    assert {environment for environment, _ in _dates()} == {"test"}  # its pools were funded


def test_a_provisional_close_is_run_again_when_its_day_is_over(day: Day) -> None:
    day.processed()
    day.close()
    assert drains.drain("closes") == 0
    day.after_midnight()
    assert drains.drain("closes") == 1
    assert CloseRun.objects.get().provisional is False


def test_a_date_with_standing_cases_is_looked_at_again(day: Day) -> None:
    order = day.processed()
    day.plant("UPDATE orders_order SET quote_reference = '' WHERE reference = %s", order.reference)
    day.after_midnight()
    assert drains.drain("closes") == 1
    assert drains.drain("closes") == 0
    day.plant(
        "UPDATE orders_order SET quote_reference = %s WHERE reference = %s", order.quote_reference, order.reference
    )
    day.desk.later(minutes=61)
    assert drains.drain("closes") == 1
    assert day.standing() == set()
    day.desk.later(days=0.5)
    assert drains.drain("closes") == 0


def _raise(**_: object) -> None:
    raise ZeroDivisionError("the check is broken")


@pytest.mark.parametrize("day_given", [date(9999, 12, 31), date(1999, 12, 31), date(1, 1, 1)])
def test_a_date_that_no_book_has_is_refused(day_given: date, database: None) -> None:
    with pytest.raises(close_runs.DateNotBegun):
        close_runs.ensure(environment="test", business_date=day_given)
    assert not CloseRun.objects.filter(business_date=day_given).exists()


def test_a_close_that_cannot_be_proved_holds_up_no_other(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = close_runs.ensure(environment="test", business_date=DATE - timedelta(days=1))
    day.processed()
    day.after_midnight()
    sound = day.close().close
    day.after_midnight(days=2)
    due = close_runs.ensure(environment="test", business_date=DATE + timedelta(days=1))
    day.plant(
        "UPDATE reconciliation_closerun SET state = 'in_review', available_at = %s WHERE id = ANY(%s)",
        *(clock.now(), [broken.pk, sound.pk]),
    )
    really = making_again.compare

    def fail(close: CloseRun) -> object:
        if close.pk == broken.pk:
            raise ValueError("planted")
        return really(close)

    monkeypatch.setattr(making_again, "compare", fail)
    assert schedule.work() == 1
    broken = CloseRun.objects.get(pk=broken.pk)
    assert (broken.proof, broken.last_error, broken.lease_until) == ({}, "ValueError: planted", None)
    assert broken.available_at == clock.now() + timedelta(minutes=1)
    assert proving.proof_of(CloseRun.objects.get(pk=sound.pk)) is not None
    assert CloseRun.objects.get(pk=due.pk).last_run_at == clock.now()


def test_the_date_that_a_book_begins_with_is_read_from_the_ends_of_indexes(day: Day) -> None:
    """It is asked for each second, however many transactions there are."""
    day.processed()
    assert Transaction.objects.count() > 4
    with rows_read("ledger_transaction", day.superuser) as transactions:
        assert schedule.first_date("test") == DATE
    assert transactions.rows <= 1
