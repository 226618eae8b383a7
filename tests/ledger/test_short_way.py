"""The short way of one posting by itself: it takes its own cases, and leaves no trace of any other."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest
from django.db import connection

from ledger import verify
from ledger.models import Posting
from tests.ledger.door import (
    MAXIMUM,
    Move,
    balance,
    codes,
    counts,
    open_book,
    plain,
    release,
    reserve,
    results,
    test_book,
)
from tests.ledger.door import Item as Listed
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

W: Final = "@world"
NOW: Final = datetime(2026, 5, 5, 12, tzinfo=UTC)

ORDINARY: Final[dict[str, object]] = {
    "key": "short",
    "phase": "plain",
    "effective": None,
    "timeout": 0,
    "debit": W,
    "credit": "a",
    "amount": 1,
    "event_type": "X",
}

NOT_ITS_CASE: Final[dict[str, dict[str, object]]] = {
    "no amount": {"amount": 0},
    "a part of a minor unit": {"amount": "1.5"},
    "a negative amount": {"amount": -1},
    "an amount near the limits": {"amount": 2**96},
    "the same account twice": {"debit": "a"},
    "an unknown account": {"credit": "nobody"},
    "an account that has too much": {"credit": "rich"},
    "a settle": {"phase": "settle"},
    "no phase": {"phase": None},
    "a plain one with a timeout": {"timeout": 5},
    "a reserve with half a second": {"phase": "reserve", "timeout": "0.5"},
    "no event type": {"event_type": ""},
    "no key": {"key": ""},
    "a key too long": {"key": "k" * 256},
    "a reserved key": {"key": "expire:1"},
    "a key that is taken": {"key": "taken"},
    "a locked date": {"effective": datetime(2026, 5, 1, tzinfo=UTC)},
    "a closed account": {"credit": "shut"},
}


def _short(**changed: object) -> tuple[str | None, Any]:
    given: dict[str, Any] = {**ORDINARY, **changed}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT code, transaction_id FROM ledger_post_one(%s::smallint, NULL, %s, %s, %s, 'ord_1', '{}', '{}', '',"
            " %s::timestamptz, %s::numeric, NULL, %s, %s, 'EUR', %s::numeric, %s)",
            [
                test_book(),
                given["key"],
                given["event_type"],
                given["phase"],
                given["effective"],
                str(given["timeout"]),
                given["debit"],
                given["credit"],
                str(given["amount"]),
                NOW,
            ],
        )
        row = cursor.fetchone()
    assert row is not None
    return row[0], row[1]


def _book() -> None:
    open_book("a", "b", "rich", "shut")
    codes(plain("taken", W, "b", 5), Listed("much", [Move(W, "rich", MAXIMUM // 2 + 1)]))
    codes(reserve("closing", "shut", W, 0, flags=["closing_debit"]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_lock_period(%s::smallint, '2026-05-01', 'finance')", [test_book()])


@pytest.mark.parametrize("name", NOT_ITS_CASE)
def test_nothing_is_written_when_it_is_not_its_case(name: str) -> None:
    _book()
    before = counts()
    assert _short(**NOT_ITS_CASE[name]) == (None, None)
    assert counts() == before


def test_a_refused_one_leaves_its_burnt_key_alone() -> None:
    _book()
    before = counts()
    assert _short(debit="b", credit=W, amount=6) == ("exceeds_credits", None)
    assert counts() == {**before, "ledger_key": before["ledger_key"] + 1}
    assert codes(plain("short", "b", W, 1)) == ["id_already_failed"]


@pytest.mark.parametrize("amount, code", [(5, "created"), (6, "exceeds_credits")])
def test_both_balances_move_or_none_when_both_accounts_have_a_rule(amount: int, code: str) -> None:
    _book()
    assert _short(debit="b", credit="a", amount=amount)[0] == code
    moved = amount if code == "created" else 0
    assert balance("b") == (moved, 5, 0, 0)
    assert balance("a") == (0, moved, 0, 0)


def test_what_it_reserves_returns_when_the_hold_is_released() -> None:
    _book()
    assert _short(phase="reserve", debit="b", credit="a", amount=5)[0] == "created"
    assert codes(plain("more", "b", W, 1)) == ["exceeds_credits"]
    assert codes(release("back", "short")) == ["created"]
    assert codes(plain("again", "b", W, 5)) == ["created"]


def test_ids_of_a_list_are_distinct_and_go_up_with_its_postings() -> None:
    open_book("a", "b")
    made = results(*(Listed(f"l{n}", [Move(W, "a", 1), Move(W, "b", 1)]) for n in range(70)))
    transactions = [one.transaction_id for one in made]
    postings = list(Posting.objects.order_by("id").values_list("id", "transaction_id", "position"))
    assert transactions == sorted(set(transactions), key=str)
    assert [(owner, place) for _, owner, place in postings] == [(one, n) for one in transactions for n in (0, 1)]
    assert {one.version for one, _, _ in postings} == {7} == {one.version for one in transactions if one}


def test_two_accounts_with_rules_are_never_overdrawn_when_all_pay_each_other_at_once() -> None:
    """Lock, then decide, then move: each by a statement of its own, or one that waited moves what it did not look at."""
    open_book("a", "b")
    codes(plain("a", W, "a", 30), plain("b", W, "b", 30))

    def pay(n: int) -> set[str]:
        told: set[str] = set()
        for turn in range(60):
            debit, credit = ("a", "b") if (n + turn) % 2 else ("b", "a")
            told |= {*codes(plain(f"{n}:{turn}", debit, credit, (7 * n + turn) % 17 + 1))}
        return told

    ends = run_threads(*(lambda n=n: pay(n) for n in range(6)), timeout=60)
    assert set().union(*raise_first(ends)) == {"created", "exceeds_credits"}
    assert balance("a")[1] - balance("a")[0] + balance("b")[1] - balance("b")[0] == 60
    assert [v.check.name for v in verify.verify() if v.breaks] == []
