"""A close's files made again: by one maker at a time, asked for by a person and done by a worker."""

import pytest

from ledger.controls import clock, drains
from reconciliation import artifact_files, close_runs, leases, making_again
from reconciliation.models import CloseRun
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import files

pytestmark = pytest.mark.usefixtures("database")


def _closed(day: Day) -> CloseRun:
    day.processed()
    day.after_midnight()
    return day.close().close


def test_files_are_not_made_again_beside_a_run_that_makes_them(day: Day) -> None:
    close = _closed(day)
    token = leases.take(close)
    with artifact_files.workshop(close_runs.window_of_close(close)) as workshop:
        (workshop / "orders.csv").write_text("half of it", encoding="utf-8")
        with pytest.raises(leases.CloseBusy):
            making_again.restore(close)
        making_again.ask(close, actor="user:fiona", now=clock.now())
        with pytest.raises(leases.CloseBusy):
            making_again.restore_asked(CloseRun.objects.get())
        assert (workshop / "orders.csv").read_text(encoding="utf-8") == "half of it"
    leases.keep(close, token)
    assert CloseRun.objects.get().files_asked_at is not None


def test_a_run_waits_for_files_that_are_made_again(day: Day) -> None:
    close = _closed(day)
    with leases.held(close):
        with pytest.raises(leases.CloseBusy):
            close_runs.run(close=close)
        assert CloseRun.objects.get().runs == 1
    assert day.close().close.runs == 2


def test_who_lost_the_lease_puts_nothing_in_its_place(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    close = _closed(day)
    place = day.files / "test" / DATE.isoformat()
    for path in place.iterdir():
        path.unlink()
    really = artifact_files.manifest

    def overtaken(**asked: object) -> artifact_files.Made:
        CloseRun.objects.filter(pk=close.pk).update(lease_token="another's")
        return really(**asked)  # type: ignore[arg-type]  # as it was asked

    monkeypatch.setattr(artifact_files, "manifest", overtaken)
    with pytest.raises(leases.LeaseLost):
        making_again.restore(close)
    assert list(place.iterdir()) == []
    assert CloseRun.objects.get().lease_token == "another's"


def test_a_worker_makes_what_was_asked_for_and_says_what_it_came_to(day: Day) -> None:
    close = _closed(day)
    before = files(day)
    (day.files / "test" / DATE.isoformat() / "orders.csv").unlink()
    making_again.ask(close, actor="user:fiona", now=clock.now())
    assert set(files(day)) == set(before) - {"orders.csv"}
    drains.drain("closes")
    assert files(day) == before
    told = CloseRun.objects.get()
    assert told.files_asked_at is None
    assert told.files_made_again == {
        "by": "user:fiona",
        "at": clock.now().isoformat(),
        "files": len(before),
        "failed": "",
    }
    assert (told.lease_until, told.lease_token, told.runs) == (None, "", 1)


def test_a_worker_says_which_files_would_be_others_and_leaves_them(day: Day) -> None:
    close = _closed(day)
    before = files(day)
    day.plant("UPDATE orders_order SET partner_order_id = 'another'")
    making_again.ask(close, actor="user:fiona", now=clock.now())
    drains.drain("closes")
    told = CloseRun.objects.get()
    assert told.files_asked_at is None
    failed = "orders.csv, trades.csv, reconciliation.csv, manifest.json would be other files now."
    assert (told.files_made_again["files"], told.files_made_again["failed"]) == (0, failed)
    assert files(day) == before


def test_a_defect_while_files_are_made_again_is_written_down(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    close = _closed(day)
    making_again.ask(close, actor="user:fiona", now=clock.now())

    def broken(*_: object, **__: object) -> object:
        raise OSError("the disk is full")

    monkeypatch.setattr(artifact_files, "make", broken)
    with pytest.raises(OSError, match="the disk is full"):
        making_again.restore_asked(CloseRun.objects.get())
    told = CloseRun.objects.get()
    assert told.files_asked_at is None
    assert told.files_made_again["failed"] == "OSError: the disk is full"
    assert told.lease_until is None


def test_files_of_a_close_that_never_ran_are_not_asked_for(day: Day) -> None:
    day.processed()
    close = close_runs.ensure(environment="test", business_date=DATE)
    with pytest.raises(making_again.NeverRun):
        making_again.ask(close, actor="user:fiona", now=clock.now())
    assert CloseRun.objects.get().files_asked_at is None
