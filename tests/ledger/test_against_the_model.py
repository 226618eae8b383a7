"""Any interleaving of posts, holds, partial posts, voids, expiries, chains, repeats and rollbacks, against a dict."""

import itertools
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db import transaction as db_transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger import fold, verify
from tests.ledger.door import (
    FREE,
    MAXIMUM,
    NEVER_CREDITED_BEYOND,
    NEVER_OVERDRAWN,
    Item,
    Move,
    balances_of,
    codes,
    open_book,
    results,
    settle,
)
from tests.ledger.door import test_book as number_of_test_book
from tests.ledger.model import Account, Model

START = datetime(2025, 3, 10, 12, tzinfo=UTC)
KINDS = {"w": (FREE, ""), "f": (FREE, ""), "a": (NEVER_OVERDRAWN, "debits"), "b": (NEVER_OVERDRAWN, "debits")}
KINDS["n"] = (NEVER_CREDITED_BEYOND, "credits")

# Weighted towards what succeeds: money comes from `w` and `n`, keys seldom repeat, holds are known.
PAIRS = [("w", "a")] * 5 + [
    ("w", "b"),
    ("a", "b"),
    ("a", "b"),
    ("b", "a"),
    ("a", "w"),
    ("w", "f"),
    ("n", "w"),
    ("n", "a"),
]
PAIRS += [("w", "n"), ("w", "n"), ("f", "n"), ("b", "n")]
REFUSED_PAIRS = [("a", "a"), ("x", "a"), ("a", "x")]
ACTS = ["roll back", "later", "sweep", "fold", "settle what is open"]


class Draw:
    """Steps as they are drawn: from a seed, weighted as below, or by hypothesis itself, which shrinks what fails."""

    def __init__(self, chance: random.Random) -> None:
        self._random = chance

    def steps(self) -> list[list[Item] | str]:
        funding = [Item("f", [Move("w", "a", 50), Move("w", "b", 20), Move("n", "w", 50)])]
        return [funding] + [
            self._random.choice(ACTS) if self._random.random() < 0.3 else self._list()
            for _ in range(self._random.randint(8, 20))
        ]

    def _list(self) -> list[Item]:
        items = [self._item() for _ in range(self._random.choice([1, 1, 1, 2, 3, 5]))]
        links = self._random.choice([(), (), (), (0,), (1, 2), (0, 1, 2, 3, 4)])
        last = len(items) - (self._random.random() < 0.9)
        return [replace(item, linked=n in links and n < last) for n, item in enumerate(items)]

    def _item(self) -> Item:
        match self._random.choice(["plain", "plain", "reserve", "reserve", "settle", "release"]):
            case "plain":
                late = 5 if self._random.random() < 0.03 else 0
                return Item(self._key("p", 20), self._moves(), timeout=late, flags=self._flags(0.1, closing=0.01))
            case "reserve":
                key = self._key("p", 20) if self._random.random() < 0.1 else self._key("r", 4)
                timeout = self._random.choice([0, 0, 5, 10])
                return Item(key, self._moves(), "reserve", timeout=timeout, flags=self._flags(0.1, closing=0.06))
            case "settle":
                return Item(self._key("e", 9), self._moves(sends=True), "settle", hold=self._hold())
            case _:
                postings = self._moves() if self._random.random() < 0.05 else []
                return Item(self._key("e", 9), postings, "release", hold=self._hold())

    def _flags(self, balancing: float, *, closing: float) -> list[str]:
        kinds = [("balancing", balancing), ("closing", closing)]
        return [
            f"{kind}_{side}" for kind, odds in kinds for side in ("debit", "credit") if self._random.random() < odds
        ]

    def _key(self, letter: str, count: int) -> str:
        return f"{letter}{self._random.randint(1, count)}"

    def _hold(self) -> str:
        return self._key("p", 20) if self._random.random() < 0.1 else self._key("r", 4)

    def _moves(self, *, sends: bool = False) -> list[Move]:
        amounts = [1, 1, 2, 5, MAXIMUM] if sends else [1, 2, 5, 7, 10, 20]
        count = self._random.choice([0, 1, 1, 2] if sends else [1, 1, 1, 2, 3])
        pairs = [self._random.choice(REFUSED_PAIRS if self._random.random() < 0.04 else PAIRS) for _ in range(count)]
        zero = self._random.random() < 0.03
        return [Move(*pair, 0 if zero else self._random.choice(amounts)) for pair in pairs]


EXPECTED = [
    "created",
    "exists",
    "exists_with_different_flags",
    "exists_with_different_pending_id",
    "exists_with_different_amount",
    "id_already_failed",
    "linked_event_failed",
    "linked_event_chain_open",
    "exceeds_credits",
    "exceeds_debits",
    "pending_transfer_not_found",
    "pending_transfer_not_pending",
    "pending_transfer_already_posted",
    "pending_transfer_already_voided",
    "pending_transfer_expired",
    "exceeds_pending_transfer_amount",
    "closing_transfer_must_be_pending",
    "debit_account_already_closed",
    "credit_account_already_closed",
]

_worlds = itertools.count(1)
_SEEDS = 160


@pytest.mark.usefixtures("database")
def test_ledger_does_what_the_model_does() -> None:
    """Always the same worlds: hypothesis would draw others wherever other modules are loaded."""
    seen: Counter[str] = Counter()
    for seed in range(_SEEDS):
        seen.update(_play(Draw(random.Random(seed)).steps()))
    assert seen["created"] > sum(seen.values()) / 4, dict(seen)
    assert {*EXPECTED} - {*seen} == set(), dict(seen)  # the worlds reach what they are for
    assert [(v.check.name, v.findings) for v in verify.verify() if v.breaks] == []


@pytest.mark.usefixtures("database")
def test_ledger_does_what_the_model_does_whatever_hypothesis_thinks_of() -> None:
    """Each choice is its own, others each time: odd ones come more often, and what fails is printed, shrunk."""

    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.randoms(use_true_random=False))
    def every_interleaving(chance: random.Random) -> None:
        _play(Draw(chance).steps())

    every_interleaving()


def _play(steps: list[list[Item] | str]) -> list[str]:
    """Play the steps on the ledger and on the model; return all answers."""
    world = f"w{next(_worlds)}"
    for name, (kind, _) in KINDS.items():
        open_book(f"{world}:{name}", kind=kind)
    model = Model({f"{world}:{name}": Account(rule) for name, (_, rule) in KINDS.items()})
    now, undo, answers = START, False, list[str]()
    for step in steps:
        match step:
            case "roll back":
                undo = True
            case "later":
                now += timedelta(seconds=5)
            case "sweep":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT ledger_expire(%s::smallint, 100, %s)", [number_of_test_book(), now])
                model.sweep(now)
            case "fold":
                fold.fold()
            case "settle what is open":
                open_ = [key for key, hold in model.holds.items() if hold.state == "open"]
                items = [replace(_whole(model, key), key=f"{world}:s{key.rpartition(':')[2]}") for key in open_]
                assert codes(*items, now=now) == model.post(items, now)
            case list():
                items = [_within(world, item) for item in step]
                if undo:
                    with db_transaction.atomic():
                        assert codes(*items, now=now) == model.copy().post(items, now), items
                        db_transaction.set_rollback(True)
                    undo = False
                else:
                    expected = model.post(items, now)
                    answered = results(*items, now=now)
                    assert [one.code for one in answered] == expected, items
                    for item, one in zip(items, answered, strict=True):
                        balancing = {"balancing_debit", "balancing_credit"} & {*item.flags}
                        told = one.code in ("created", "exists") and balancing
                        assert one.amounts == (model.taken[str(item.key)] if told else None), item
                    answers += expected
        assert balances_of(model.accounts) == {name: account.balances for name, account in model.accounts.items()}
    return answers


def _within(world: str, item: Item) -> Item:
    return replace(
        item,
        key=f"{world}:{item.key}",
        hold=item.hold and f"{world}:{item.hold}",
        postings=[replace(p, debit=f"{world}:{p.debit}", credit=f"{world}:{p.credit}") for p in item.postings],
    )


def _whole(model: Model, key: str) -> Item:
    placed = model.keys[key]
    assert placed is not None
    return settle("", key, *placed.postings)
