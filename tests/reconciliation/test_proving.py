"""The proof between the two signatures: a worker makes the files again, and what came late is found before the lock."""

import io
import zipfile
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger import journal, periods
from ledger.controls import clock
from orders.models import ReviewCase
from orders.operations import review_case
from orders.operations.return_trade import return_trade
from reconciliation import (
    artifact_files,
    artifact_zip,
    making_again,
    proving,
    signing,
)
from reconciliation.models import CloseRun, CloseSignature
from tests.orders.desk import trade_of
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import REVIEWER, adjustment, files, locked, only_sign, over, sign, submit

pytestmark = pytest.mark.usefixtures("database")


def test_a_signature_makes_no_file_and_waits_for_the_proof(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    day.processed()
    over(day)
    day.close()
    submit()
    with pytest.raises(signing.NotProved):
        only_sign()
    assert not periods.is_locked("test", DATE)
    assert CloseSignature.objects.count() == 1
    with monkeypatch.context() as broken:
        broken.setattr(making_again, "compare", _die)
        with pytest.raises(ZeroDivisionError):
            proving.prove(CloseRun.objects.get())
    with pytest.raises(signing.NotProved):
        only_sign()
    assert proving.prove(CloseRun.objects.get())
    monkeypatch.setattr(artifact_files, "make", _die)
    assert only_sign().state == "locked"


def test_a_proof_is_of_its_run_alone(day: Day) -> None:
    day.processed()
    over(day)
    day.close()
    stale = submit()
    close = CloseRun.objects.get()
    signing.send_back(
        close_reference=close.reference, close_version=close.version, reason="again", actor=REVIEWER, now=clock.now()
    )
    assert not proving.prove(stale)
    day.close()
    submit()
    assert CloseRun.objects.get().proof == {}
    with pytest.raises(signing.NotProved):
        only_sign()


def test_a_late_record_before_the_signature_is_found_and_nothing_is_locked(day: Day) -> None:
    day.processed()
    over(day)
    day.close()
    submit()
    with db_transaction.atomic():
        effective = clock.now() - timedelta(hours=12)
        journal.post_all(environment="test", drafts=[adjustment(effective)], now=clock.now())
    with pytest.raises(signing.RecordsChanged):
        sign()
    close = CloseRun.objects.get()
    assert close.state == "in_review"
    assert not periods.is_locked("test", DATE)
    signing.send_back(
        close_reference=close.reference, close_version=close.version, reason="late", actor=REVIEWER, now=clock.now()
    )
    day.close()
    submit()
    assert sign().state == "locked"
    assert any(row["ledger_key"] == "late-funding" for row in day.rows("ledger.csv"))


def test_what_comes_between_making_again_and_the_lock_is_found(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    day.processed()
    over(day)
    day.close()
    submit()
    really = making_again.compare

    def and_then_late(close: CloseRun) -> object:
        found = really(close)
        with db_transaction.atomic():
            effective = clock.now() - timedelta(hours=12)
            journal.post_all(environment="test", drafts=[adjustment(effective)], now=clock.now())
        return found

    monkeypatch.setattr(making_again, "compare", and_then_late)
    with pytest.raises(signing.RecordsChanged):
        sign()
    assert CloseRun.objects.get().state == "in_review"
    assert not periods.is_locked("test", DATE)
    assert CloseSignature.objects.count() == 1


def test_files_of_a_locked_date_are_the_same_bytes_after_a_trade_was_returned(day: Day) -> None:
    order = day.processed()
    day.failed()
    locked(day)
    before = files(day)
    package = b"".join(artifact_zip.stream(CloseRun.objects.get()))
    day.desk.later(days=3)
    found = return_trade(trade_reference=trade_of(order).reference, reason="told", actor="user:lena", now=clock.now())
    case = ReviewCase.objects.get(subject=found.reference)
    review_case.propose_resolution(
        case_reference=case.reference,
        case_version=case.version,
        resolution="adjust",
        reason="the venue says so",
        actor="user:olga",
        now=clock.now(),
    )
    assert trade_of(order).state == "returned"
    close = CloseRun.objects.get(business_date=DATE)
    _, differing = making_again.compare(close)
    assert differing == frozenset()
    for path in (day.files / "test" / DATE.isoformat()).iterdir():
        path.unlink()
    with pytest.raises(artifact_zip.FilesMissing):
        artifact_zip.stream(close)
    making_again.restore(close)
    assert files(day) == before
    assert b"".join(artifact_zip.stream(close)) == package
    names = zipfile.ZipFile(io.BytesIO(package)).namelist()
    assert sorted(names) == sorted(before)


def _die(*_: object, **__: object) -> None:
    raise ZeroDivisionError
