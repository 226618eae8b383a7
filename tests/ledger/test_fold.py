"""The fold: deltas become balances, exactly, whoever writes or rolls back meanwhile."""

import threading

import psycopg
import pytest
from django.db import connection
from django.db import transaction as db_transaction

from ledger import fold
from tests.ledger.door import (
    CALL,
    FREE,
    MAXIMUM,
    NEVER_OVERDRAWN,
    arguments,
    balance,
    codes,
    open_book,
    plain,
    reserve,
)
from tests.ledger.door import test_book as number_of_test_book
from tests.servers import TestServers
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

W = "@world"


def test_balance_is_exact_when_writers_and_rollbacks_and_folds_overlap() -> None:
    open_book("hot", kind=FREE)
    done = threading.Event()
    writers, rounds = 4, 50

    def writer(number: int) -> int:
        kept = 0
        for n in range(rounds):
            with db_transaction.atomic():
                assert codes(plain(f"{number}:{n}", W, "hot", n + 1)) == ["created"]
                if n % 3 == 0:
                    db_transaction.set_rollback(True)
                else:
                    kept += n + 1
        return kept

    def folder() -> int:
        folded = 0
        while not done.is_set():
            folded += fold.fold()
        return -folded

    def reader() -> int:
        last = 0
        while not done.is_set():
            now = balance("hot")[1]
            assert now >= last  # no read sees a delta twice or not at all
            last = now
        return 0

    def finish(work: list[int]) -> int:
        try:
            return raise_first(run_threads(*(lambda k=k: writer(k) for k in work)))[0] * len(work)
        finally:
            done.set()

    ends = raise_first(run_threads(lambda: finish(list(range(writers))), folder, folder, reader, timeout=60))
    total = ends[0]
    assert balance("hot") == (0, total, 0, 0)
    assert -(ends[1] + ends[2]) + _fold_all() == 2 * writers * sum(n % 3 != 0 for n in range(rounds))
    assert balance("hot") == (0, total, 0, 0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT credits_posted FROM ledger_account WHERE address = 'hot'")
        assert cursor.fetchone() == (total,)


def test_late_commit_is_not_lost_when_younger_deltas_were_folded(servers: TestServers) -> None:
    open_book("hot", kind=FREE)
    with psycopg.connect(servers.url("holdfast_app")) as late:
        late.execute(CALL, arguments([plain("late", W, "hot", 1)], book=number_of_test_book(), now=None))
        codes(plain("early", W, "hot", 10))
        assert fold.fold() == 2
        assert balance("hot") == (0, 10, 0, 0)
        late.commit()
    assert balance("hot") == (0, 11, 0, 0)
    assert fold.fold() == 2
    assert balance("hot") == (0, 11, 0, 0)


def test_fold_that_rolls_back_leaves_its_deltas() -> None:
    open_book("hot", kind=FREE)
    codes(plain("1", W, "hot", 10))
    with db_transaction.atomic():
        assert fold.fold() == 2
        db_transaction.set_rollback(True)
    assert fold.open_deltas() == 2
    assert balance("hot") == (0, 10, 0, 0)


def test_second_fold_does_nothing_when_one_is_under_way(servers: TestServers) -> None:
    open_book("hot", kind=FREE)
    codes(plain("1", W, "hot", 10))
    with psycopg.connect(servers.url("holdfast_app")) as other:
        assert other.execute("SELECT ledger_fold()").fetchone() == (2,)
        assert fold.fold() == 0
        other.commit()
    assert balance("hot") == (0, 10, 0, 0)


def test_writers_do_not_wait_for_a_fold(servers: TestServers) -> None:
    open_book("hot", kind=FREE)
    codes(plain("1", W, "hot", 10))
    with psycopg.connect(servers.url("holdfast_app")) as other:
        other.execute("SELECT ledger_fold()")
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '5s'")
        assert codes(plain("2", W, "hot", 10)) == ["created"]
        other.commit()
    assert balance("hot") == (0, 20, 0, 0)


def test_fold_survives_the_largest_amounts() -> None:
    open_book("hot", "other", kind=FREE)
    assert codes(plain("1", W, "hot", MAXIMUM), plain("2", "other", W, MAXIMUM), reserve("3", W, "hot", MAXIMUM)) == [
        "created",
        "created",
        "overflows_debits",
    ]
    assert codes(plain("4", W, "hot", MAXIMUM)) == ["overflows_debits_posted"]
    _fold_all()
    assert codes(plain("5", W, "hot", 1)) == ["overflows_debits_posted"]
    assert balance("hot") == (0, MAXIMUM, 0, 0)


def test_fold_and_the_largest_amounts_do_not_deadlock() -> None:
    open_book(*(f"free:{n}" for n in range(5)), kind=FREE)
    open_book("ruled", kind=NEVER_OVERDRAWN)
    big = 2**100

    def writer(order: int) -> int:
        names = [f"free:{n}" for n in range(5)][::order]
        for n in range(15):
            items = [plain(f"{order}:{n}:{name}", W, name, big) for name in names]
            assert set(codes(*items)) == {"created"}
        return 0

    raise_first(
        run_threads(lambda: writer(1), lambda: writer(-1), lambda: sum(fold.fold() for _ in range(60)), timeout=60)
    )
    assert [balance(f"free:{n}")[1] for n in range(5)] == [30 * big] * 5


def _fold_all() -> int:
    folded = 0
    while count := fold.fold():
        folded += count
    return folded
