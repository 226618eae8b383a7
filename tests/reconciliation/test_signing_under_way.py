"""What is under way while a close is proved and signed: it is seen by the proof, waited for by the lock, or refused."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db import transaction as db_transaction

from ledger import journal, periods
from ledger.controls import clock
from ledger.models import Transaction
from reconciliation import proving, signing
from reconciliation.models import CloseRun
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import adjustment, only_sign, over, sign, submit

pytestmark = pytest.mark.usefixtures("database")

_PATIENCE = 20.0


def test_a_transaction_from_before_the_run_is_waited_for_before_anything_is_proved(
    day: Day, run_threads: Callable[..., Sequence[Any]]
) -> None:
    day.processed()
    over(day)
    begun, end = threading.Event(), threading.Event()

    def old() -> None:
        with clock.use(day.desk.clock), db_transaction.atomic():
            journal.post_all(
                environment="test", drafts=[adjustment(clock.now() - timedelta(hours=12))], now=clock.now()
            )
            begun.set()
            assert end.wait(_PATIENCE)

    def close() -> object:
        with clock.use(day.desk.clock):
            try:
                assert begun.wait(_PATIENCE)
                day.close()
                submit()
                proved = proving.prove(CloseRun.objects.get())
                with pytest.raises(signing.NotProved):
                    only_sign()
                return proved, CloseRun.objects.get().last_error, CloseRun.objects.get().available_at
            finally:
                end.set()

    ended, found = run_threads(old, close)
    assert ended is None
    assert found == (
        False,
        "A database transaction from before the run is still open: what it writes would come late.",
        clock.now() + timedelta(minutes=1),
    )
    with pytest.raises(signing.RecordsChanged, match="would be other files now"):
        sign()
    assert not periods.is_locked("test", DATE)


def test_a_posting_under_way_is_waited_for_by_the_lock_and_refuses_the_signature(
    day: Day, run_threads: Callable[..., Sequence[Any]]
) -> None:
    _proved(day)
    posted = threading.Event()

    def post() -> None:
        with clock.use(day.desk.clock), db_transaction.atomic():
            journal.post_all(
                environment="test", drafts=[adjustment(clock.now() - timedelta(hours=12))], now=clock.now()
            )
            posted.set()
            _wait_for("ExclusiveLock")

    def sign_it() -> object:
        with clock.use(day.desk.clock):
            assert posted.wait(_PATIENCE)
            return only_sign()

    ended, refused = run_threads(post, sign_it)
    assert ended is None
    assert isinstance(refused, signing.RecordsChanged), refused
    assert not periods.is_locked("test", DATE)
    assert CloseRun.objects.get().state == "in_review"


def test_a_posting_begun_before_the_lock_that_comes_after_it_is_not_of_the_locked_date(
    day: Day, monkeypatch: pytest.MonkeyPatch, run_threads: Callable[..., Sequence[Any]]
) -> None:
    _proved(day)
    begun, locked = threading.Event(), threading.Event()
    really = periods.lock

    def then_wait(*asked: Any) -> None:
        really(*asked)
        locked.set()
        _wait_for("ShareLock")

    monkeypatch.setattr(periods, "lock", then_wait)

    def post() -> None:
        with clock.use(day.desk.clock), db_transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM ledger_transaction")
            begun.set()
            assert locked.wait(_PATIENCE)
            journal.post_all(
                environment="test", drafts=[adjustment(clock.now() - timedelta(hours=12))], now=clock.now()
            )

    def sign_it() -> object:
        with clock.use(day.desk.clock):
            assert begun.wait(_PATIENCE)
            return only_sign()

    ended, signed = run_threads(post, sign_it)
    assert ended is None
    assert isinstance(signed, CloseRun), signed
    assert signed.state == "locked"
    late = Transaction.objects.get(key="late-funding")
    assert late.effective_at >= signed.window_to
    assert late.value_date == clock.now() - timedelta(hours=12)


def _proved(day: Day) -> None:
    day.processed()
    over(day)
    day.close()
    submit()
    assert proving.prove(CloseRun.objects.get())


def _wait_for(mode: str) -> None:
    """Wait until another waits for an advisory lock of this mode."""
    with connection.cursor() as cursor:
        for _ in range(2_000):
            cursor.execute(
                "SELECT pg_sleep(0.01), count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND mode = %s",
                [mode],
            )
            row = cursor.fetchone()
            if row and row[1]:
                return
    raise AssertionError(f"nobody waits for an advisory {mode}")
