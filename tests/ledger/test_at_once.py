"""Threads that post, hold, post in part, void, expire, close, balance, seal and fold at once: what the answers say they
did is what stands, and nothing that may not be overdrawn is.
"""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from ledger import fold, seals, verify
from tests.ledger.door import (
    ENVIRONMENT,
    FREE,
    MAXIMUM,
    NEVER_CREDITED_BEYOND,
    Item,
    Move,
    Result,
    balance,
    open_book,
    plain,
    release,
    reserve,
    results,
    settle,
)
from tests.ledger.door import test_book as number_of_test_book
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

START = datetime(2025, 3, 10, 12, tzinfo=UTC)
ACCOUNTS = ["a", "b", "n", "free", "@world"]
LISTS = 40


@pytest.mark.parametrize("seed", range(3))
def test_answers_say_what_stands_when_all_work_at_once(seed: int) -> None:
    open_book("a", "b")
    open_book("n", kind=NEVER_CREDITED_BEYOND)
    open_book("free", kind=FREE)
    results(plain("f1", "@world", "a", 30), plain("f2", "@world", "b", 30), plain("f3", "n", "@world", 200), now=START)
    ends = run_threads(*(lambda n=n: _work(random.Random(seed * 10 + n)) for n in range(4)), timeout=90)
    told = [pair for end in raise_first(ends) for pair in end]
    seen = Counter(result.code for _, result in told)
    assert seen["created"] > LISTS
    assert {"exists", "exceeds_credits", "linked_event_failed"} <= {*seen}
    assert [(v.check.name, v.findings) for v in verify.verify() if v.breaks] == []

    posted: Counter[str] = Counter({"@world": 140, "a": 30, "b": 30, "n": -200})
    for postings, by_key in (_of_created(told, "plain"), _of_settles(told)):
        assert len(by_key) == len({*by_key})
        for debit, credit, amount in postings:
            posted[debit] -= amount
            posted[credit] += amount
    for address in ACCOUNTS:
        debits, credits, *_ = balance(address)
        assert credits - debits == posted[address], address


def _work(choice: random.Random) -> list[tuple[Item, Result]]:
    told: list[tuple[Item, Result]] = []
    for turn in range(LISTS):
        now = START + timedelta(seconds=turn)
        match choice.randint(1, 12):
            case 1:
                fold.fold()
            case 2:
                seals.seal(ENVIRONMENT)
            case 3:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT ledger_expire(%s::smallint, 50, %s)", [number_of_test_book(), now])
            case _:
                items = [_item(choice) for _ in range(choice.choice([1, 1, 2, 4]))]
                if choice.random() < 0.3 and len(items) > 1:
                    items[0] = Item(**{**_fields(items[0]), "linked": True})  # type: ignore[arg-type]  # its own fields
                told += zip(items, results(*items, now=now), strict=True)
    return told


def _item(choice: random.Random) -> Item:
    debit, credit = choice.sample(ACCOUNTS, 2)
    amount = choice.randint(1, 20)
    flags = ["balancing_debit"] if choice.random() < 0.1 else []
    match choice.choice(["plain", "plain", "reserve", "reserve", "settle", "settle", "release", "close", "open"]):
        case "plain":
            key = choice.randint(1, 150)  # one key, one content: a repeat exists
            debit, credit = ACCOUNTS[key % 5], ACCOUNTS[(key + 1 + key // 5 % 4) % 5]
            return plain(f"p{key}", debit, credit, key % 17 + 1)
        case "reserve":
            key = choice.randint(1, 40)
            debit, credit = _pair(key)
            return reserve(f"r{key}", debit, credit, key % 17 + 1, timeout=key % 3 * 10)
        case "settle":
            key = choice.randint(1, 40)
            return settle(f"s{choice.randint(1, 10**9)}", f"r{key}", Move(*_pair(key), choice.choice([1, MAXIMUM])))
        case "release":
            return release(f"v{choice.randint(1, 10**9)}", f"r{choice.randint(1, 40)}")
        case "close":
            return reserve(f"c{choice.randint(1, 8)}", "free", "@world", 0, flags=["closing_debit"], timeout=5)
        case _:
            return plain(f"b{choice.randint(1, 10**9)}", debit, credit, amount, flags=flags)


def _pair(key: int) -> tuple[str, str]:
    return ACCOUNTS[key % 5], ACCOUNTS[(key + 1 + key // 5 % 4) % 5]


def _fields(item: Item) -> dict[str, object]:
    return {name: getattr(item, name) for name in item.__dataclass_fields__}


def _of_created(told: Sequence[tuple[Item, Result]], phase: str) -> tuple[list[tuple[str, str, int]], list[str]]:
    postings, keys = [], []
    for item, result in told:
        if item.phase == phase and result.code == "created":
            keys.append(str(item.key))
            amounts = result.amounts or [int(str(move.amount)) for move in item.postings]
            postings += [(m.debit, m.credit, int(a)) for m, a in zip(item.postings, amounts, strict=True)]
    return postings, keys


def _of_settles(told: Sequence[tuple[Item, Result]]) -> tuple[list[tuple[str, str, int]], list[str]]:
    """What each settle posted: 1, or with the maximum all of its hold, which only one may end."""
    postings, holds = [], []
    for item, result in told:
        if item.phase == "settle" and result.code == "created":
            holds.append(str(item.hold))
            (move,) = item.postings
            whole = int(str(item.hold)[1:]) % 17 + 1
            postings.append((move.debit, move.credit, whole if move.amount == MAXIMUM else 1))
    return postings, holds
