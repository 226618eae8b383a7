"""Many tellers at once: crossed lists of accounts and keys. No deadlock reaches a caller, no amount is lost."""

import random
from collections import Counter
from collections.abc import Callable

import psycopg
import pytest
from django.db import connection
from django.db import transaction as db_transaction

from ledger import fold, verify
from tests.ledger.door import CALL, Item, Move, arguments, balance, codes, open_book, plain, release, reserve, settle
from tests.ledger.door import test_book as number_of_test_book
from tests.servers import TestServers
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
CUSTOMERS = [f"users:{n}:available" for n in range(6)]


def test_crossed_lists_end_without_a_deadlock() -> None:
    _open(100)

    def teller(accounts: list[str], keys: list[str]) -> Callable[[], list[str]]:
        return lambda: [
            code
            for round_ in range(12)
            for code in codes(
                *(Item(f"{key}:{round_}", [Move(accounts[n], accounts[(n + 1) % 6], 1)]) for n, key in enumerate(keys))
            )
        ]

    keys = [f"k{n}" for n in range(6)]
    ends = raise_first(
        run_threads(
            teller(CUSTOMERS, keys),
            teller(CUSTOMERS[::-1], keys[::-1]),
            teller(CUSTOMERS, keys[::-1]),
            teller(CUSTOMERS[::-1], keys),
            timeout=60,
        )
    )
    answers = Counter(code for end in ends for code in end)
    assert answers["created"] == 6 * 12  # each key once, whoever was first
    assert (
        answers["created"]
        + answers["exists"]
        + sum(count for code, count in answers.items() if code.startswith("exists_with_different"))
        == 4 * 6 * 12
    )
    _exact(600)


def test_keys_in_opposite_orders_wait_in_one_line(servers: TestServers) -> None:
    _open(100)
    items = {key: plain(key, W, CUSTOMERS[n], 1) for n, key in enumerate("amz")}
    with psycopg.connect(servers.url("holdfast_app")) as holder, psycopg.connect(servers.url("postgres")) as watch:
        watch.autocommit = True
        holder.execute(CALL, arguments([items["m"]], book=number_of_test_book(), now=None))

        def finishing() -> list[str]:
            for _ in range(500):  # until both wait
                row = watch.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
                if row is not None and row[0] >= 2:
                    break
                watch.execute("SELECT pg_sleep(0.01)")
            holder.rollback()
            return []

        def second() -> list[str]:
            for _ in range(500):  # the first waits for `m`, and so holds what it came by before
                row = watch.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
                if row is not None and row[0] >= 1:
                    break
            return codes(items["z"], items["a"])

        ends = raise_first(run_threads(lambda: codes(items["a"], items["m"], items["z"]), second, finishing))
    assert ends[0] == ["created"] * 3
    assert ends[1] == ["exists"] * 2


def test_total_is_exact_and_nothing_is_overdrawn_when_tellers_are_at_random() -> None:
    _open(20)

    def teller(seed: int) -> Callable[[], Counter[str]]:
        draw = random.Random(seed)

        def work() -> Counter[str]:
            answers: Counter[str] = Counter()
            for n in range(40):
                with db_transaction.atomic():
                    answers.update(codes(*_list(draw, f"{seed}:{n}")))
                    if draw.random() < 0.2:
                        db_transaction.set_rollback(True)
            return answers

        return work

    def folding() -> Counter[str]:
        for _ in range(60):
            fold.fold()
        return Counter()

    ends = raise_first(run_threads(*(teller(seed) for seed in range(6)), folding, timeout=60))
    answers = sum(ends, Counter[str]())
    assert answers["created"] > 100
    assert answers["exceeds_credits"] > 0
    _exact(120)


def _list(draw: random.Random, name: str) -> list[Item]:
    """A few transfers, holds and ends of holds between customers, with shared keys now and then."""
    items: list[Item] = []
    for n in range(draw.randint(1, 5)):
        debit, credit = draw.sample(CUSTOMERS, 2)
        amount = draw.randint(1, 15)
        key = f"shared:{draw.randint(1, 30)}" if draw.random() < 0.3 else f"{name}:{n}"
        match draw.choice(["plain", "plain", "through", "hold", "settle", "release"]):
            case "plain":
                items.append(plain(key, debit, credit, amount, linked=draw.random() < 0.2))
            case "through":
                items.append(Item(key, [Move(debit, W, amount), Move(W, credit, amount)]))
            case "hold":
                items.append(reserve(f"hold:{draw.randint(1, 20)}", debit, credit, amount))
            case "settle":
                items.append(settle(key, f"hold:{draw.randint(1, 20)}"))
            case _:
                items.append(release(key, f"hold:{draw.randint(1, 20)}"))
    return items


def _open(amount: int) -> None:
    open_book(*CUSTOMERS)
    answers = codes(*(plain(f"funding:{name}", W, name, amount) for name in CUSTOMERS))
    assert set(answers) == {"created"}


def _exact(total: int) -> None:
    for _ in range(2):  # with open deltas, and folded
        balances = [balance(name) for name in CUSTOMERS]
        assert all(dp + dq <= cp for dp, cp, dq, _ in balances)
        assert sum(cp - dp for dp, cp, _, _ in balances) == total
        world = balance(W)
        assert world[0] - world[1] == total
        assert [(v.check.name, v.findings) for v in verify.verify() if v.breaks] == []
        while fold.fold():
            pass
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_delta")
        assert cursor.fetchone() == (0,)
