"""Any interleaving of posts, holds, partial posts, voids, expiries, chains, repeats and rollbacks, against a dict."""

import copy
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db import transaction as db_transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ledger import fold, verify
from tests.ledger.door import (
    FREE,
    MAXIMUM,
    NEVER_CREDITED_BEYOND,
    NEVER_OVERDRAWN,
    Item,
    Move,
    balance,
    codes,
    open_book,
    plain,
    reserve,
    settle,
)
from tests.ledger.door import test_book as number_of_test_book
from tests.ledger.model import Account, Model

START = datetime(2025, 3, 10, 12, tzinfo=UTC)
KINDS = {"w": (FREE, ""), "f": (FREE, ""), "a": (NEVER_OVERDRAWN, "debits"), "b": (NEVER_OVERDRAWN, "debits")}
KINDS["n"] = (NEVER_CREDITED_BEYOND, "credits")

KEYS = st.sampled_from(["k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8"])
NAMES = st.sampled_from(["w", "w", "w", "f", "a", "a", "b", "n", "x"])
AMOUNTS = st.sampled_from([1, 2, 5, 7, 10, 0])
MOVES = st.builds(Move, NAMES, NAMES, AMOUNTS)
PLAIN = st.builds(Item, KEYS, st.lists(MOVES, max_size=3), timeout=st.sampled_from([0, 0, 0, 0, 0, 5]))
RESERVE = st.builds(
    Item, KEYS, st.lists(MOVES, min_size=1, max_size=3), phase=st.just("reserve"), timeout=st.sampled_from([0, 5, 10])
)
SENDS = st.lists(st.builds(Move, NAMES, NAMES, st.sampled_from([1, 2, 5, 10, MAXIMUM])), max_size=3)
SETTLE = st.builds(Item, KEYS, SENDS, phase=st.just("settle"), hold=KEYS)
RELEASE = st.builds(Item, KEYS, st.just(()), phase=st.just("release"), hold=KEYS)
ITEMS = st.one_of(PLAIN, PLAIN, RESERVE, RESERVE, SETTLE, RELEASE).flatmap(
    lambda item: st.sampled_from([False, False, True]).map(lambda linked: replace(item, linked=linked))
)
STEPS = st.lists(
    st.one_of(
        st.lists(ITEMS, min_size=1, max_size=6),
        st.lists(ITEMS, min_size=1, max_size=1),
        st.sampled_from(["roll back", "later", "sweep", "fold", "settle what is open"]),
    ),
    min_size=2,
    max_size=14,
)

_worlds = itertools.count(1)


@pytest.mark.usefixtures("database")
def test_ledger_does_what_the_model_does() -> None:
    kept = {"examples": 0, "created": 0}

    @settings(
        max_examples=150,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(STEPS)
    @example(
        [[reserve("k1", "w", "a", 10)], [settle("k2", "k1", Move("w", "a", 4))], "fold", [plain("k3", "a", "b", 4)]]
    )
    def every_interleaving(steps: list[list[Item] | str]) -> None:
        kept["examples"] += 1
        kept["created"] += _play(steps)

    every_interleaving()
    assert kept["created"] > 2 * kept["examples"], kept  # the examples are not all refusals
    assert [(v.check.name, v.findings) for v in verify.verify() if v.breaks] == []


def _play(steps: list[list[Item] | str]) -> int:
    """Play the steps on the ledger and on the model; return how many transactions were created."""
    world = f"w{next(_worlds)}"
    for name, (kind, _) in KINDS.items():
        open_book(f"{world}:{name}", kind=kind)
    model = Model({f"{world}:{name}": Account(rule) for name, (_, rule) in KINDS.items()})
    now, undo, created = START, False, 0
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
                items = [replace(_whole(model, key), key=f"{world}:s{key}") for key in open_]
                assert codes(*items, now=now) == model.post(items, now)
            case list():
                items = [_within(world, item) for item in step]
                if undo:
                    with db_transaction.atomic():
                        assert codes(*items, now=now) == copy.deepcopy(model).post(items, now), items
                        db_transaction.set_rollback(True)
                    undo = False
                else:
                    expected = model.post(items, now)
                    assert codes(*items, now=now) == expected, items
                    created += expected.count("created")
        assert {name: balance(name) for name in model.accounts} == {
            name: account.balances for name, account in model.accounts.items()
        }
    return created


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
