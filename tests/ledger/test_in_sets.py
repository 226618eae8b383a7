"""A list in which nothing is refused, written set by set: the same as item by item, and no trace where it is not its case."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import verify
from tests.ledger.door import (
    FREE,
    MAXIMUM,
    NEVER_CREDITED_BEYOND,
    Item,
    Move,
    arguments,
    balance,
    codes,
    counts,
    open_book,
    plain,
    reserve,
    results,
    settle,
    test_book,
)
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

W: Final = "@world"
NOW: Final = datetime(2026, 5, 5, 12, tzinfo=UTC)
_GIVEN: Final = (
    "%s::smallint, %s::jsonb, %s::integer[], %s::text[], %s::text[], %s::text[], %s::text[]::numeric[], %s::timestamptz"
)

_WRITTEN: Final = """
SELECT 'transaction', t.key, t.event_type, t.phase, t.subject, t.refs::text, t.effective_at::text, t.recorded_at::text,
       t.timeout_seconds::text, (SELECT h.key FROM ledger_transaction h WHERE h.id = t.hold_id), t.flags::text, k.key
FROM ledger_transaction t JOIN ledger_key k ON k.transaction_id = t.id JOIN ledger_unsealed u ON u.transaction_id = t.id
UNION ALL
SELECT 'posting', t.key, p.position::text, p.kind, d.address, c.address, p.asset, p.amount_minor::text, pt.key,
       q.position::text, q.kind, NULL
FROM ledger_posting p JOIN ledger_transaction t ON t.id = p.transaction_id JOIN ledger_account d ON d.id = p.debit_account_id
JOIN ledger_account c ON c.id = p.credit_account_id LEFT JOIN ledger_posting q ON q.id = p.pending_id
LEFT JOIN ledger_transaction pt ON pt.id = q.transaction_id
UNION ALL
SELECT 'hold', t.key, h.state, h.expires_at::text, e.key, h.ended_at::text, NULL, NULL, NULL, NULL, NULL, NULL
FROM ledger_hold h JOIN ledger_transaction t ON t.id = h.transaction_id LEFT JOIN ledger_transaction e ON e.id = h.ended_by
UNION ALL
SELECT 'balance', address, debits_posted::text, credits_posted::text, debits_pending::text, credits_pending::text,
       NULL, NULL, NULL, NULL, NULL, NULL FROM ledger_balance
ORDER BY 1, 2, 3, 4, 5, 6
"""


def _pair(key: str, *moves: Move, timeout: int = 0) -> list[Item]:
    return [
        Item(f"{key}:hold", moves, phase="reserve", timeout=timeout, linked=True),
        settle(f"{key}:settle", f"{key}:hold", *moves),
    ]


def _in_sets(connection: psycopg.Connection[Any], items: Sequence[Item]) -> object:
    row = connection.execute(
        f"SELECT ledger_post_in_sets({_GIVEN})", arguments(items, book=test_book(), now=NOW)
    ).fetchone()
    assert row is not None
    return row[0]


def _book() -> None:
    open_book("a", "b", "rich", "shut")
    open_book("bank", kind=NEVER_CREDITED_BEYOND)
    open_book("vault", kind=FREE)
    codes(plain("taken", W, "a", 50), plain("in", "bank", "b", 50), plain("much", "vault", "rich", MAXIMUM // 2 + 1))
    codes(reserve("closing", "shut", W, 0, flags=["closing_debit"]), plain("more", "bank", W, 5))
    codes(reserve("old", "a", W, 5))


ORDINARY: Final = (plain("one", W, "a", 1), *_pair("pair", Move("a", W, 3), Move(W, "b", 2)))

NOT_ITS_CASE: Final[dict[str, list[Item]]] = {
    "a key that is taken": [*ORDINARY, plain("taken", W, "a", 50)],
    "a key twice": [*ORDINARY, plain("one", W, "a", 1)],
    "a reserved key": [*ORDINARY, plain("expire:1", W, "a", 1)],
    "no key": [*ORDINARY, plain("", W, "a", 1)],
    "a null key": [*ORDINARY, Item(None, [Move(W, "a", 1)])],
    "no event type": [*ORDINARY, Item("none", [Move(W, "a", 1)], event_type=None)],
    "more than there is": [*ORDINARY, plain("all", "a", W, 46)],
    "more than there is, had it not come in before": [plain("in first", W, "a", 5), plain("out", "a", W, 50)],
    "more out of the bank than it has": [*ORDINARY, plain("out", W, "bank", 56)],
    "an amount near the limits": [*ORDINARY, plain("near", W, "a", 2**96)],
    "no amount": [*ORDINARY, plain("nothing", W, "a", 0)],
    "a part of a minor unit": [*ORDINARY, plain("part", W, "a", "1.5")],
    "the same account twice": [*ORDINARY, plain("self", W, W, 1)],
    "an unknown account": [*ORDINARY, plain("whom", W, "nobody", 1)],
    "an account that has too much": [*ORDINARY, plain("rich", W, "rich", 1)],
    "a closed account": [*ORDINARY, plain("shut", W, "shut", 1)],
    "a chain left open": [*ORDINARY, plain("open", W, "a", 1, linked=True)],
    "a flag": [*ORDINARY, plain("flag", W, "a", 1, flags=["balancing_debit"])],
    "a date of its own": [*ORDINARY, plain("then", W, "a", 1, effective_at=NOW)],
    "a plain one with a timeout": [*ORDINARY, plain("late", W, "a", 1, timeout=5)],
    "a settle of an older hold": [*ORDINARY, settle("settle", "old", Move("a", W, 5))],
    "a settle of a hold further up": [
        *(_pair("pair", Move("a", W, 3))[0], plain("between", W, "a", 1), _pair("pair", Move("a", W, 3))[1])
    ],
    "a settle of a part": [*_pair("p", Move("a", W, 3))[:1], settle("p:settle", "p:hold", Move("a", W, 2))],
    "a settle of some postings": [
        Item("p:hold", [Move("a", W, 3), Move(W, "b", 1)], phase="reserve"),
        settle("p:settle", "p:hold", Move("a", W, 3)),
    ],
    "a settle to another": [*_pair("p", Move(W, "a", 3))[:1], settle("p:settle", "p:hold", Move(W, "b", 3))],
    "a settle without postings": [*_pair("p", Move("a", W, 3))[:1], settle("p:settle", "p:hold")],
    "a release": [*ORDINARY, Item("r", phase="release", hold="old")],
    "an item without postings": [*ORDINARY, Item("empty")],
    "an item without postings further up": [Item("empty"), *ORDINARY],
    "an item without postings between others": [plain("before", W, "a", 1), Item("empty"), *ORDINARY],
    "nothing": [],
}


@pytest.mark.parametrize("name", NOT_ITS_CASE)
def test_nothing_is_written_when_it_is_not_its_case(name: str, superuser_connection: psycopg.Connection[Any]) -> None:
    _book()
    before = counts()
    assert _in_sets(superuser_connection, NOT_ITS_CASE[name]) is None
    assert counts() == before
    assert _in_sets(superuser_connection, ORDINARY) is not None


def test_a_locked_date_is_not_its_case(superuser_connection: psycopg.Connection[Any]) -> None:
    _book()
    superuser_connection.execute("SELECT ledger_lock_period(%s::smallint, '2026-05-05', 'finance')", [test_book()])
    before = counts()
    assert _in_sets(superuser_connection, ORDINARY) is None
    assert counts() == before


def test_arrays_that_begin_elsewhere_are_not_its_case(superuser_connection: psycopg.Connection[Any]) -> None:
    """Read by number, a settle's posting would be held against itself, and could go to another account than its reserve's."""
    _book()
    asked = arguments([_pair("p", Move(W, "a", 3))[0], settle("p:settle", "p:hold", Move(W, "b", 3))], book=1, now=NOW)
    before = counts()
    row = superuser_connection.execute(
        f"SELECT ledger_post_in_sets({_GIVEN})", [test_book(), *asked[1:4], "[0:1]={a,b}", *asked[5:]]
    ).fetchone()
    assert row == (None,)
    assert counts() == before


def _with(pair: list[Item], place: int, **changes: Any) -> list[Item]:
    return [replace(one, **changes) if place in (n, -1) else one for n, one in enumerate(pair)]


_PAIR: Final = _pair("pair", Move("a", W, 3), Move(W, "b", 2))
_PAIRS_AMISS: Final[dict[str, list[Item]]] = {
    "a key that is taken": _with(_PAIR, 1, key="taken"),
    "both keys taken": [replace(_PAIR[0], key="taken"), replace(_PAIR[1], key="in", hold="taken")],
    "one key for both": _with(_PAIR, 1, key="pair:hold"),
    "a reserved key": _with(_PAIR, 1, key="expire:1"),
    "no key": _with(_PAIR, 1, key=""),
    "a null key": _with(_PAIR, 1, key=None),
    "a long key": _with(_PAIR, 1, key="k" * 256),
    "no event type": _with(_PAIR, 0, event_type=None),
    "an empty event type": _with(_PAIR, 1, event_type=""),
    "another hold": _with(_PAIR, 1, hold="old"),
    "no hold": _with(_PAIR, 1, hold=None),
    "a reserve with a hold": _with(_PAIR, 0, hold="old"),
    "a plain one before": _with(_PAIR, 0, phase="plain"),
    "a release": _with(_PAIR, 1, phase="release"),
    "a chain left open": _with(_PAIR, 1, linked=True),
    "a flag of the reserve": _with(_PAIR, 0, flags=["balancing_debit"]),
    "a flag of the settle": _with(_PAIR, 1, flags=["balancing_debit"]),
    "a date of the reserve": _with(_PAIR, 0, effective_at=NOW),
    "a date of the settle": _with(_PAIR, 1, effective_at=NOW),
    "a negative timeout": _with(_PAIR, 0, timeout=-1),
    "a long timeout": _with(_PAIR, 0, timeout=2**32),
    "a part of a second": _with(_PAIR, 0, timeout=1.5),
    "a settle with a timeout": _with(_PAIR, 1, timeout=5),
    "no postings": _with(_PAIR, -1, postings=[]),
    "a posting more": _with(_PAIR, 1, postings=[*_PAIR[1].postings, Move("a", W, 1)]),
    "a posting less": _with(_PAIR, 1, postings=_PAIR[1].postings[:1]),
    "another amount": _with(_PAIR, 1, postings=[Move("a", W, 2), Move(W, "b", 2)]),
    "another account": _with(_PAIR, 1, postings=[Move("a", W, 3), Move(W, "a", 2)]),
    "another order": _with(_PAIR, 1, postings=_PAIR[1].postings[::-1]),
    "more than there is": _pair("p", Move("a", W, 46)),
    "more than there is in two postings": _pair("p", Move("a", W, 23), Move("a", "b", 23)),
    "more than there is, had it not come in before": _pair("p", Move(W, "a", 5), Move("a", W, 50)),
    "more out of the bank than it has": _pair("p", Move(W, "bank", 56)),
    "an amount near the limits": _pair("p", Move(W, "a", 2**96)),
    "no amount": _pair("p", Move(W, "a", 0)),
    "not a number": _pair("p", Move(W, "a", "NaN")),
    "a part of a minor unit": _pair("p", Move(W, "a", "1.5")),
    "the same account twice": _pair("p", Move(W, W, 1)),
    "an unknown account": _pair("p", Move(W, "a", 1), Move(W, "nobody", 1)),
    "an account that has too much": _pair("p", Move(W, "rich", 1)),
    "a closed account": _pair("p", Move(W, "shut", 1)),
}


@pytest.mark.parametrize("name", _PAIRS_AMISS)
def test_a_pair_that_is_not_its_case_writes_nothing(name: str, superuser_connection: psycopg.Connection[Any]) -> None:
    _book()
    before = counts()
    assert _in_sets(superuser_connection, _PAIRS_AMISS[name]) is None
    assert counts() == before
    assert _in_sets(superuser_connection, _PAIR) is not None


def test_a_pair_of_a_locked_date_writes_nothing(superuser_connection: psycopg.Connection[Any]) -> None:
    _book()
    superuser_connection.execute("SELECT ledger_lock_period(%s::smallint, '2026-05-05', 'finance')", [test_book()])
    before = counts()
    assert _in_sets(superuser_connection, _PAIR) is None
    assert counts() == before


def test_a_pair_of_arrays_that_begin_elsewhere_writes_nothing(superuser_connection: psycopg.Connection[Any]) -> None:
    _book()
    before = counts()
    for place in range(3, 7):
        asked = arguments(_pair("p", Move(W, "a", 1)), book=test_book(), now=NOW)
        values = asked[place]
        assert isinstance(values, list)
        for first in (-1, 0, 2):
            shifted = f"[{first}:{first + 1}]={{{','.join(map(str, values))}}}"
            given_shifted = [*asked[:place], shifted, *asked[place + 1 :]]
            row = superuser_connection.execute(f"SELECT ledger_post_in_sets({_GIVEN})", given_shifted).fetchone()
            assert row == (None,)
    assert counts() == before


def test_a_list_sent_by_several_at_once_is_written_once() -> None:
    open_book("a", "b")
    items = [plain(f"k{n}", W, "a", 1) for n in range(20)]
    ends = run_threads(*(lambda turn=turn: codes(*items[turn:], *items[:turn]) for turn in range(8)), timeout=60)
    told = sorted({tuple(sorted(set(one))) for one in raise_first(ends)})
    assert told == [("created",), ("exists",)]
    assert balance("a") == (0, 20, 0, 0)


_PLACES: Final = ("@world", "a", "b", "bank")
_moves = st.lists(
    st.tuples(st.sampled_from(_PLACES), st.sampled_from(_PLACES), st.integers(1, 9)).filter(
        lambda one: one[0] != one[1]
    ),
    min_size=1,
    max_size=3,
)
_kinds = st.sampled_from(["plain", "reserve", "pair", "linked"])


_asked = st.tuples(_kinds, _moves, st.sampled_from([0, 300]))
_a_pair = st.tuples(st.just("pair"), _moves, st.sampled_from([0, 300]))


@pytest.mark.parametrize(
    ("lists", "most"), [(st.lists(_asked, min_size=1, max_size=6), 2), (st.lists(_a_pair, min_size=1, max_size=1), 2)]
)
def test_it_writes_what_the_lists_way_writes(
    superuser_connection: psycopg.Connection[Any], lists: st.SearchStrategy[list[Any]], most: int
) -> None:
    compared: list[int] = []

    @settings(max_examples=60, deadline=None)
    @given(asked=lists)
    def compare(asked: list[tuple[str, list[tuple[str, str, int]], int]]) -> None:
        if not counts()["ledger_key"]:
            _book()
        items: list[Item] = []
        for number, (kind, moves, timeout) in enumerate(asked):
            postings = [Move(*move) for move in moves]
            match kind:
                case "pair":
                    items += _pair(f"k{number}", *postings, timeout=timeout)
                case "reserve":
                    items.append(Item(f"k{number}", postings, phase="reserve", timeout=timeout))
                case _:
                    items.append(Item(f"k{number}", postings, linked=kind == "linked" and number < len(asked) - 1))
        written: dict[str, list[Any]] = {}
        given_to_both = arguments(items, book=test_book(), now=NOW)
        for name in ("ledger_post_in_sets", "ledger_post_list"):
            with superuser_connection.transaction(force_rollback=True):
                found = superuser_connection.execute(f"SELECT * FROM {name}({_GIVEN})", given_to_both).fetchall()
                if found == [(None,)]:
                    return  # where it may fail, the list's way decides
                if name == "ledger_post_list":
                    assert {row[1] for row in found} == {"created"}, "what fits in sets is not refused by the item"
                written[name] = superuser_connection.execute(_WRITTEN).fetchall()
        assert written["ledger_post_in_sets"] == written["ledger_post_list"]
        compared.append(len(items))

    compare()
    assert len(compared) >= 5, "most lists were left to the list's way: nothing was compared"
    assert max(compared) >= most


def test_ids_go_up_with_the_postings_and_each_settle_names_its_pending(
    superuser_connection: psycopg.Connection[Any],
) -> None:
    _book()
    items = [one for n in range(40) for one in _pair(f"p{n}", Move(W, "a", 2), Move("a", "b", 1))]
    made = results(*items)
    assert {one.code for one in made} == {"created"}
    rows = superuser_connection.execute(
        "SELECT p.id, p.pending_id, t.key, p.position, q.position, h.key FROM ledger_posting p JOIN ledger_transaction t"
        " ON t.id = p.transaction_id LEFT JOIN ledger_posting q ON q.id = p.pending_id LEFT JOIN ledger_transaction h"
        " ON h.id = q.transaction_id WHERE t.key LIKE 'p%%' ORDER BY p.id"
    ).fetchall()
    assert [(row[2], row[3]) for row in rows] == [(item.key, n) for item in items for n in (0, 1)]
    assert all(
        (row[4], row[5]) == (row[3], row[2].replace("settle", "hold")) for row in rows if row[2].endswith("settle")
    )
    assert {row[0].version for row in rows} == {7}
    assert balance("a") == (40 + 0, 50 + 80, 5, 0)
    assert [v.check.name for v in verify.verify() if v.breaks] == []


@pytest.mark.parametrize("together", [True, False], ids=["in lists of two pairs", "in pairs"])
def test_nobody_is_overdrawn_when_lists_pay_from_the_same_accounts_at_once(together: bool) -> None:
    open_book("a", "b", "c")
    codes(plain("fa", W, "a", 20), plain("fb", W, "b", 20))

    def pay(number: int) -> list[str]:
        moves = [Move("a", "c", 1), Move("b", "c", 1)] if number % 2 else [Move("b", "c", 1), Move("a", "c", 1)]
        first, second = _pair(f"n{number}", *moves), _pair(f"m{number}", *moves)
        return codes(*first, *second) if together else [*codes(*first), *codes(*second)]

    ends = run_threads(*(lambda n=n: pay(n) for n in range(16)), timeout=60)
    settled = sum(code == "created" for told in raise_first(ends) for code in told[1::2])
    assert settled == 20
    assert balance("a") == (20, 20, 0, 0)
    assert balance("b") == (20, 20, 0, 0)
    assert sum(balance("c")) == 40
