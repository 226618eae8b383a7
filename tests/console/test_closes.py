"""Closes in the console: who may run, prepare, sign and open again; downloads are audited; no GET changes anything."""

import io
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from ledger import periods
from ledger.controls import clock, drains
from ledger.models import Approval, Move
from orders.models import Order
from reconciliation import close_runs
from reconciliation.models import CloseArtifact, CloseDownload, CloseRun, CloseSignature, ExceptionCase, ExceptionNote
from tests.orders.desk import Desk

pytestmark = pytest.mark.usefixtures("database", "desk")

SignIn = Callable[[str, str], Client]


@pytest.fixture
def closed(desk: Desk, settings: Settings, tmp_path: Path, superuser_connection: psycopg.Connection) -> CloseRun:
    """The close of a day that is over, with two orders; the quote of one is gone."""
    settings.ARTIFACTS_ROOT = tmp_path / "closes"
    first, _ = desk.order(), desk.order()
    desk.drive(passes=2, pause=timedelta(seconds=1))
    assert set(Order.objects.values_list("state", flat=True)) == {"processed"}
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("DELETE FROM orders_quote WHERE reference = %s", [first.quote_reference])
    day = clock.now().date()
    desk.clock.move_to((clock.now() + timedelta(days=1)).replace(hour=2))  # whatever the hour is now
    return close_runs.run(close=close_runs.ensure(environment="test", business_date=day)).close


def _act(client: Client, close: CloseRun, action: str, **form: str) -> str:
    form.setdefault("version", str(CloseRun.objects.get(pk=close.pk).version))
    answer = client.post(reverse("admin:close-act", args=[close.reference, action]), form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def _on(client: Client, case: ExceptionCase, action: str, **form: str) -> str:
    form.setdefault("version", str(ExceptionCase.objects.get(pk=case.pk).version))
    answer = client.post(reverse("admin:exception-act", args=[case.reference, action]), form, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_close_from_exception_to_lock_and_open_again(signed_in: SignIn, closed: CloseRun) -> None:
    fiona, frank = signed_in("fiona", "finance"), signed_in("frank", "finance lead")
    page = fiona.get(reverse("admin:close-page", args=[closed.reference])).content.decode()
    case = ExceptionCase.objects.get()
    assert "Every ledger entry joins to a trade, quote, and partner order." in page
    assert reverse("admin:exception-page", args=[case.reference]) in page
    assert "Blocked: point 2" in _act(fiona, closed, "submit")

    review_on = (clock.now() + timedelta(days=3)).date().isoformat()
    assert "Assign it first" in fiona.get(reverse("admin:exception-page", args=[case.reference])).content.decode()
    assert "YYYY-MM-DD" in _on(fiona, case, "assign", next_review_on="soon")
    assert "fiona owns it" in _on(fiona, case, "assign", next_review_on=review_on)
    assert "Noted." in _on(fiona, case, "note", text="asked the partner")
    assert "A note needs words." in _on(fiona, case, "note", text="  ")
    assert "a second person has to approve" in _on(fiona, case, "propose", reason="the partner agreed")
    assert "Your role may not" in _on(fiona, case, "approve", reason="mine")
    assert "Approved." in _on(frank, case, "approve", reason="seen the mail")
    assert "run it again" in _act(fiona, closed, "submit")

    assert "It runs." in _act(fiona, closed, "run")
    assert fiona.get(reverse("admin:close-progress", args=[closed.reference])).json()["running"] is True
    drains.drain("closes")
    told = fiona.get(reverse("admin:close-progress", args=[closed.reference])).json()
    assert (told["running"], told["runs"], told["error"]) == (False, 2, "")
    assert "Signed as preparer" in _act(fiona, closed, "submit", reason="all there")
    assert "Your role may not" in _act(fiona, closed, "sign", reason="mine")
    assert "The files of this close are being made again" in _act(frank, closed, "sign", reason="too soon")
    drains.drain("closes")
    assert "Signed, and the date is locked." in _act(frank, closed, "sign", reason="agreed")
    assert CloseRun.objects.get(pk=closed.pk).state == "locked"
    assert periods.is_locked("test", closed.business_date)
    assert list(CloseSignature.objects.order_by("id").values_list("role", "person", "comment")) == [
        *(("preparer", "user:fiona", "all there"), ("reviewer", "user:frank", "agreed")),
    ]
    assert "A worker makes the files again" in _act(fiona, closed, "make-again")
    drains.drain("closes")
    page = fiona.get(reverse("admin:close-page", args=[closed.reference])).content.decode()
    assert "11 files, they are the same bytes" in page

    assert "a second person has to approve" in _act(fiona, closed, "propose-reopening", reason="a late statement")
    assert "Your role may not" in _act(fiona, closed, "approve-reopening", reason="mine")
    assert "The date is open again." in _act(frank, closed, "approve-reopening", reason="so be it")
    assert not periods.is_locked("test", closed.business_date)
    assert CloseRun.objects.get(pk=closed.pk).state == "open"
    assert ExceptionNote.objects.get().text == "asked the partner"
    done = set(LogEntry.objects.values_list("object_repr", flat=True))
    assert {"close: submit", "close: sign", "close: approve-reopening", "exception: approve", "exception: note"} <= done


def test_a_lead_who_prepared_does_not_sign(signed_in: SignIn, closed: CloseRun) -> None:
    frank = signed_in("frank", "finance lead")
    CloseRun.objects.filter(pk=closed.pk).update(preparer="user:frank")
    page = frank.get(reverse("admin:close-page", args=[closed.reference]))
    assert page.status_code == 200
    assert "This close is not under review." in _act(frank, closed, "sign")
    assert CloseSignature.objects.count() == 0


def test_downloads_are_audited_and_are_the_recorded_files(signed_in: SignIn, closed: CloseRun) -> None:
    auditor = signed_in("ada", "auditor")
    answer = auditor.get(reverse("admin:close-package", args=[closed.reference]))
    package = zipfile.ZipFile(io.BytesIO(answer.getvalue()))
    assert sorted(package.namelist()) == sorted(CloseArtifact.objects.values_list("name", flat=True))
    one = auditor.get(reverse("admin:close-file", args=[closed.reference, "orders.csv"]))
    assert one.getvalue() == package.read("orders.csv")
    assert auditor.get(reverse("admin:close-file", args=[closed.reference, "..%2Fmanifest.json"])).status_code == 404
    assert list(LogEntry.objects.order_by("id").values_list("object_id", "change_message")) == [
        (closed.reference, f"close-test-{closed.business_date}.zip"),
        (closed.reference, "orders.csv"),
    ]
    assert list(CloseDownload.objects.order_by("id").values_list("close_reference", "name", "actor", "api_key_id")) == [
        (closed.reference, f"close-test-{closed.business_date}.zip", "user:ada", None),
        (closed.reference, "orders.csv", "user:ada", None),
    ]
    page = auditor.get(reverse("admin:close-page", args=[closed.reference])).content.decode()
    assert 'id="downloads"' in page
    assert 'id="run"' not in page
    assert "Your role may not" in _act(auditor, closed, "run")


def test_missing_files_are_a_message(signed_in: SignIn, closed: CloseRun, settings: Settings, tmp_path: Path) -> None:
    settings.ARTIFACTS_ROOT = tmp_path / "elsewhere"
    fiona = signed_in("fiona", "finance")
    answer = fiona.get(reverse("admin:close-package", args=[closed.reference]), follow=True)
    assert "This close has no files in their place" in answer.content.decode()
    assert "user:fiona asked for them" in _act(fiona, closed, "make-again")
    drains.drain("closes")
    assert fiona.get(reverse("admin:close-package", args=[closed.reference])).status_code == 200


def test_the_calendar_shows_states_and_runs_a_date(signed_in: SignIn, closed: CloseRun) -> None:
    fiona = signed_in("fiona", "finance")
    url = reverse("admin:close-calendar")
    month = f"{url}?environment=test&month={closed.business_date:%Y-%m}"
    shown = fiona.get(month).content.decode()
    assert reverse("admin:close-page", args=[closed.reference]) in shown
    assert "1 exception" in shown
    for query in ("?month=2026-13", "?month=x", "?environment=nowhere", "?month=0001-01", "?month=9999-12"):
        assert fiona.get(url + query).status_code == 200, query
    today = clock.now().date()
    answer = fiona.post(reverse("admin:close-run"), {"environment": "test", "date": today.isoformat()}, follow=True)
    assert f"The close of {today} runs." in answer.content.decode()
    drains.drain("closes")
    assert CloseRun.objects.get(business_date=today).provisional is True
    for day in ("2099-01-01", "yesterday", ""):
        answer = fiona.post(reverse("admin:close-run"), {"environment": "test", "date": day}, follow=True)
        assert answer.status_code == 200
    assert CloseRun.objects.count() == 2


@pytest.mark.parametrize("role", ["support", "ops", "ops lead", "admin"])
def test_other_roles_see_no_close(role: str, signed_in: SignIn, closed: CloseRun) -> None:
    client = signed_in("somebody", role)
    case = ExceptionCase.objects.get()
    moves = Move.objects.count()
    for url in (
        reverse("admin:close-calendar"),
        reverse("admin:close-page", args=[closed.reference]),
        reverse("admin:close-progress", args=[closed.reference]),
        reverse("admin:close-package", args=[closed.reference]),
        reverse("admin:close-file", args=[closed.reference, "orders.csv"]),
        reverse("admin:exception-page", args=[case.reference]),
    ):
        assert client.get(url).status_code == 403, url
    for action in ("run", "submit", "sign", "approve-reopening"):
        assert client.post(reverse("admin:close-act", args=[closed.reference, action])).status_code == 403
    for action in ("assign", "approve", "note"):
        assert client.post(reverse("admin:exception-act", args=[case.reference, action])).status_code == 403
    assert Move.objects.count() == moves


def test_no_get_changes_anything_and_nobody_is_not_found(signed_in: SignIn, closed: CloseRun) -> None:
    frank = signed_in("frank", "finance lead")
    case = ExceptionCase.objects.get()
    before = (Move.objects.count(), Approval.objects.count(), CloseRun.objects.get(pk=closed.pk).version)
    for action in ("run", "submit", "sign", "make-again"):
        assert frank.get(reverse("admin:close-act", args=[closed.reference, action])).status_code == 405
    for action in ("assign", "approve"):
        assert frank.get(reverse("admin:exception-act", args=[case.reference, action])).status_code == 405
    assert frank.get(reverse("admin:close-run")).status_code == 405
    assert (Move.objects.count(), Approval.objects.count(), CloseRun.objects.get(pk=closed.pk).version) == before
    for url in (
        reverse("admin:close-page", args=["cls_nowhere"]),
        reverse("admin:exception-page", args=["exc_nowhere"]),
    ):
        assert frank.get(url).status_code == 404
    assert frank.post(reverse("admin:close-act", args=[closed.reference, "nonsense"])).status_code == 404


def test_a_run_that_was_cut_off_is_told_above_the_cases_and_on_its_close(signed_in: SignIn, closed: CloseRun) -> None:
    fiona = signed_in("fiona", "finance")
    cases = reverse("admin:reconciliation_exceptioncase_changelist")
    page = reverse("admin:close-page", args=[closed.reference])
    assert "cut off" not in fiona.get(cases).content.decode() + fiona.get(page).content.decode()
    CloseRun.objects.filter(pk=closed.pk).update(counts={**closed.counts, "cut_off": ["ledger_mismatch"]})
    listed = fiona.get(cases).content.decode()
    assert f"{closed.business_date} (test)</a> was cut off: Ledger mismatch." in listed
    assert "Ledger mismatch: cut off, there were more than a run looks at" in fiona.get(page).content.decode()
    assert "Blocked: point" in _act(fiona, closed, "submit")


def test_home_names_each_book_s_newest_date_when_an_older_one_was_run_last(desk: Desk, signed_in: SignIn) -> None:
    today = clock.now().date()
    runs = (("test", today), ("test", today - timedelta(days=3)), ("live", today - timedelta(days=5)))
    newest, older, live = (
        close_runs.run(close=close_runs.ensure(environment=book, business_date=day)).close for book, day in runs
    )
    desk.later(minutes=1)
    close_runs.run(close=older)
    home = signed_in("frank", "finance lead").get(reverse("admin:index"))
    assert [close.pk for close in home.context["last_closes"]] == [live.pk, newest.pk]
    assert reverse("admin:close-page", args=[newest.reference]) in home.content.decode()
    assert f"{(today - timedelta(days=3)).isoformat()}</a>" not in home.content.decode()
