"""Decide by a balance, then post: what was read still stands, whoever comes, and nobody deadlocks."""

import random
import threading
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from django.db import transaction as db_transaction

from ledger import balances, fold, periods, verify
from ledger.balances import Locked
from tests.ledger.door import (
    CALL,
    ENVIRONMENT,
    FREE,
    Item,
    Move,
    arguments,
    balance,
    codes,
    counts,
    open_book,
    plain,
    reserve,
    settle,
)
from tests.ledger.door import test_book as number_of_test_book
from tests.servers import TestServers
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

W = "@world"


def test_balance_is_credits_less_debits_and_pending_debits_with_open_deltas() -> None:
    open_book("a", "b")
    open_book("free", kind=FREE)
    codes(plain("1", W, "a", 100), reserve("2", "a", "b", 30), plain("3", "a", "free", 20))
    asked = [("a", "EUR"), ("b", "EUR"), ("free", "EUR"), (W, "EUR"), ("absent", "EUR"), ("a", "USD"), ("a", "EUR")]
    expected = {
        ("a", "EUR"): Locked(50, True),
        ("b", "EUR"): Locked(0, True),  # pending credits are never spent
        ("free", "EUR"): Locked(20, False),
        (W, "EUR"): Locked(-100, False),
    }
    before = counts()
    with db_transaction.atomic():
        assert balances.lock(ENVIRONMENT, ["k1", "k2", "k1"], asked) == expected
    fold.fold()
    with db_transaction.atomic():
        assert balances.lock(ENVIRONMENT, [], asked) == expected
    assert {**counts(), "ledger_delta": before["ledger_delta"]} == before


def test_what_was_read_stands_until_it_is_posted(servers: TestServers) -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 100))
    with psycopg.connect(servers.url("holdfast_app")) as other, db_transaction.atomic():
        assert balances.lock(ENVIRONMENT, ["k"], [("a", "EUR"), ("b", "EUR")])[("a", "EUR")].balance == 100
        other.execute("SET lock_timeout = '200ms'")
        for item in (plain("other", "a", "b", 1), plain("k", W, "c", 1)):  # its account, its key
            with pytest.raises(psycopg.errors.LockNotAvailable), other.transaction():
                other.execute(CALL, arguments([item], book=number_of_test_book(), now=None))
        assert codes(plain("k", "a", "b", 100)) == ["created"]
    assert codes(plain("other", "a", "b", 1)) == ["exceeds_credits"]
    assert codes(plain("k", "a", "b", 100)) == ["exists"]


def test_date_stays_open_while_balances_are_held(servers: TestServers) -> None:
    open_book("a")
    late = datetime(2025, 3, 11, 12, tzinfo=UTC)
    now = late + timedelta(days=1)
    locked = threading.Event()
    with psycopg.connect(servers.url("postgres"), autocommit=True) as watch, db_transaction.atomic():
        balances.lock(ENVIRONMENT, ["k"], [("a", "EUR")], effective_at=[late], now=now)

        def locking() -> None:
            periods.lock(ENVIRONMENT, date(2025, 3, 11), "finance", now)
            locked.set()

        thread = threading.Thread(target=lambda: run_threads(locking))
        thread.start()
        _wait_for_a_waiter(watch)
        assert codes(plain("k", W, "a", 1, effective_at=late), now=now) == ["created"]
        assert not locked.is_set()
    thread.join(20)
    assert locked.is_set()
    assert balance("a") == (0, 1, 0, 0)


@pytest.mark.parametrize("count", [1, 3], ids=["single", "lists"])
def test_nobody_deadlocks_when_keys_and_accounts_are_crossed(count: int) -> None:
    """Half the threads decide by balances, half just post; keys and accounts come in any order and collide."""
    names = "abcd"
    open_book(*names)
    open_book("free", kind=FREE)
    codes(*(plain(f"fund {name}", W, name, 1000) for name in names))

    def working(number: int) -> list[str]:
        choice, answers = random.Random(number), list[str]()
        for turn in range(25):
            items = []
            for n in range(count):
                source, target = choice.sample([*names, "free"], 2)
                key = f"{turn}:{choice.randint(1, 3)}" if choice.random() < 0.5 else f"{number}:{turn}:{n}"
                items.append((key, source, target))
            choice.shuffle(items)
            with db_transaction.atomic():
                if number % 2:
                    touched = [(name, "EUR") for _, *pair in items for name in pair]
                    held = balances.lock(ENVIRONMENT, [key for key, *_ in items], touched)
                    left = {name: locked.balance for (name, _), locked in held.items()}
                    drafts = []
                    for key, source, target in items:
                        amount = max(1, min(7, left[source]))
                        left[source], left[target] = left[source] - amount, left[target] + amount
                        drafts.append(plain(key, source, target, amount, subject=""))
                else:
                    drafts = [plain(key, source, target, 3, subject="") for key, source, target in items]
                answers += codes(*drafts)
        return answers

    ends = raise_first(run_threads(*(lambda n=n: working(n) for n in range(6)), timeout=60))
    seen = {code for answers in ends for code in answers}
    assert "created" in seen
    assert seen <= {"created", "exists", "id_already_failed", "exceeds_credits"} | {
        f"exists_with_different_{what}" for what in ("amount", "debit_account_id", "credit_account_id")
    }
    assert [(v.check.name, v.findings) for v in verify.verify() if v.breaks] == []


def test_one_key_is_one_posting_when_all_decide_at_once() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 100))

    def taking() -> list[str]:
        with db_transaction.atomic():
            held = balances.lock(ENVIRONMENT, ["k"], [("b", "EUR"), ("a", "EUR")])
            return codes(plain("k", "a", "b", max(held[("a", "EUR")].balance, 1)))

    def posting() -> list[str]:
        return codes(plain("k", "a", "b", 100))

    ends = raise_first(run_threads(taking, taking, posting, taking, posting))
    seen = sorted(code for answer in ends for code in answer)
    assert seen.count("created") == 1
    assert set(seen) <= {"created", "exists", "exists_with_different_amount"}
    assert (balance("a"), balance("b")) == ((100, 100, 0, 0), (0, 100, 0, 0))


def test_key_is_free_again_when_the_caller_rolled_back() -> None:
    open_book("a")
    with db_transaction.atomic():
        balances.lock(ENVIRONMENT, ["k"], [("a", "EUR")])
        db_transaction.set_rollback(True)
    with db_transaction.atomic():
        balances.lock(ENVIRONMENT, ["k"], [("a", "EUR")])  # and posted nothing
    assert codes(plain("k", W, "a", 1)) == ["created"]


def test_holds_end_under_the_lock() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 10), reserve("h", "a", "b", 4))
    with db_transaction.atomic():
        held = balances.lock(ENVIRONMENT, ["end", "k"], [("a", "EUR"), ("b", "EUR")])
        assert held[("a", "EUR")].balance == 6
        items: list[Item] = [settle("end", "h", Move("a", "b", 1)), plain("k", "a", "b", 9)]
        assert codes(*items) == ["created", "created"]
    assert balance("a") == (10, 10, 0, 0)


def _wait_for_a_waiter(watch: psycopg.Connection) -> None:
    for _ in range(500):
        row = watch.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted").fetchone()
        if row is not None and row[0] > 0:
            return
        watch.execute("SELECT pg_sleep(0.01)")
    raise AssertionError("nobody waits")
