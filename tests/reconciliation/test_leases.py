"""A run holds its close by a lease: who lost it, or whose close was submitted meanwhile, records nothing."""

from typing import Any

import pytest

from ledger.controls import clock
from reconciliation import (
    close_runs,
    leases,
    marks,
)
from reconciliation.models import CloseRun
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import over, sign, submit

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize("state", ["open", "in_review"])
def test_a_lease_is_of_an_open_close_only(state: str, day: Day) -> None:
    close = close_runs.ensure(environment="test", business_date=DATE)
    token = leases.take(close)
    day.plant("UPDATE reconciliation_closerun SET state = %s", state)
    if state == "open":
        leases.keep(close, token)
        leases.finish(close, token, available_at=None)
    else:
        with pytest.raises(leases.LeaseLost):
            leases.keep(close, token)
        with pytest.raises(leases.LeaseLost):
            leases.finish(close, token, available_at=None)
        leases.give_up(close, token, ZeroDivisionError())
    found = CloseRun.objects.get()
    assert (found.runs, found.attempts) == (1 if state == "open" else 0, 0)


def test_a_run_that_stalled_does_not_overwrite_what_was_submitted_meanwhile(
    day: Day, monkeypatch: pytest.MonkeyPatch
) -> None:
    day.processed()
    over(day)
    day.close()
    place = day.files / "test" / DATE.isoformat()
    before = {path.name: path.stat().st_ino for path in place.iterdir()}
    really = marks.mark_orders

    def stall(**given: Any) -> None:
        really(**given)
        day.desk.later(minutes=16)
        submit()

    monkeypatch.setattr(marks, "mark_orders", stall)
    with pytest.raises(leases.LeaseLost):
        day.close()
    close = CloseRun.objects.get()
    assert (close.state, close.runs, close.attempts, close.available_at) == ("in_review", 1, 0, clock.now())
    assert {path.name: path.stat().st_ino for path in place.iterdir()} == before
    assert sign().state == "locked"
