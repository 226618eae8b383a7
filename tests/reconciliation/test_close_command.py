"""`manage.py close`: a summary for a person, a message instead of a traceback, a status for CI."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command

from reconciliation.models import CloseRun
from tests.reconciliation.day import DATE, Day


def _close(*arguments: str) -> str:
    out = io.StringIO()
    call_command("close", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_it_closes_today_and_says_what_it_came_to(day: Day) -> None:
    order = day.processed()
    day.plant("DELETE FROM orders_trade WHERE order_reference = %s", order.reference)
    told = _close()
    assert "Close of 2026-03-14, test book (provisional: the day is not over)" in told
    words = {line.rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in told.splitlines() if line.strip()}
    assert (words["orders"], words["Missing trade"], words["Missing quote"], words["opened"]) == ("1", "1", "0", "1")
    assert words["EUR"] == "0.00"
    assert str(day.files / "test" / "2026-03-14") in told.replace("\n", "")
    assert list(CloseRun.objects.values_list("environment", "runs")) == [("test", 1)]


def test_it_closes_the_date_and_book_that_are_asked_for(day: Day) -> None:
    day.after_midnight()
    told = _close("--date", "2026-03-14", "--environment", "live")
    assert "Close of 2026-03-14, live book" in told
    assert "provisional" not in told
    assert CloseRun.objects.get().environment == "live"


def test_its_status_says_that_breaks_were_found_when_asked_to(day: Day) -> None:
    order = day.processed()
    _close("--fail-on-breaks")
    day.plant("DELETE FROM orders_trade WHERE order_reference = %s", order.reference)
    with pytest.raises(CommandError, match="1 records break a check") as failure:
        _close("--fail-on-breaks")
    assert failure.value.returncode == 3


@pytest.mark.parametrize("text", ["tomorrow", "2026-3-14", "2026-02-30", "20260314", ""])
def test_a_date_that_is_none_gets_a_message(day: Day, text: str) -> None:
    with pytest.raises(CommandError, match="--date is a business date, YYYY-MM-DD"):
        _close("--date", text)
    assert CloseRun.objects.count() == 0


def test_a_date_that_has_not_begun_gets_a_message(day: Day) -> None:
    with pytest.raises(CommandError, match=r"2026-03-15 has not begun\."):
        _close("--date", (DATE + timedelta(days=1)).isoformat(), "--environment", "test")
    assert CloseRun.objects.count() == 0


def test_files_made_again_are_the_same_bytes_or_it_says_so(day: Day) -> None:
    order = day.processed()
    day.after_midnight()
    _close("--date", "2026-03-14", "--environment", "test")
    place = day.files / "test" / "2026-03-14"
    before = {path.name: path.read_bytes() for path in place.iterdir()}
    (place / "orders.csv").unlink()
    asked = ("--make-again", "--date", "2026-03-14", "--environment", "test")
    assert "11 files of 2026-03-14 (test): the same bytes." in _close(*asked)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    day.plant("UPDATE orders_order SET partner_order_id = 'another' WHERE reference = %s", order.reference)
    with pytest.raises(CommandError, match=r"orders\.csv, trades\.csv, reconciliation\.csv, manifest\.json would"):
        _close(*asked)
    assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    for incomplete in (("--make-again",), ("--make-again", "--date", "2026-03-13", "--environment", "test")):
        with pytest.raises(CommandError):
            _close(*incomplete)
