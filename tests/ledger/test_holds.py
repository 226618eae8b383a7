"""Rule L6: a hold is placed whole and ends once: posted whole or in part, voided, or expired at its very instant."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db import transaction as db_transaction

from ledger import expiry
from ledger.controls import clock, drains
from tests.ledger.door import FREE, MAXIMUM, Item, Move, balance, codes, open_book, plain, release, reserve, settle
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
START = datetime(2025, 3, 10, 12, tzinfo=UTC)
TWO = [Move("a", "b", 60), Move("a", "c", 40)]

#                        a            b             c              debits and credits posted, debits and credits pending
HELD = [(0, 100, 100, 0), (0, 0, 0, 60), (0, 0, 0, 40)]
ENDS = [
    ("whole", [Move("a", "b", 60), Move("a", "c", 40)], [(100, 100, 0, 0), (0, 60, 0, 0), (0, 40, 0, 0)]),
    ("at the maximum", [Move("a", "c", MAXIMUM)], [(40, 100, 0, 0), (0, 0, 0, 0), (0, 40, 0, 0)]),
    ("in part", [Move("a", "c", 1), Move("a", "b", 59)], [(60, 100, 0, 0), (0, 59, 0, 0), (0, 1, 0, 0)]),
    ("one voided", [Move("a", "b", 60)], [(60, 100, 0, 0), (0, 60, 0, 0), (0, 0, 0, 0)]),
    ("all voided", [], [(0, 100, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]),
]


@pytest.mark.parametrize("name,sends,expected", ENDS, ids=[end[0] for end in ENDS])
def test_rest_returns_when_a_hold_is_posted(
    name: str, sends: list[Move], expected: list[tuple[int, int, int, int]]
) -> None:
    open_book("a", "b", "c")
    assert codes(plain("1", W, "a", 100), Item("hold", TWO, "reserve")) == ["created"] * 2
    assert [balance(address) for address in "abc"] == HELD
    assert codes(settle("end", "hold", *sends)) == ["created"]
    assert [balance(address) for address in "abc"] == expected
    assert _hold() == ("posted", True)


def test_everything_returns_when_a_hold_is_voided() -> None:
    open_book("a", "b", "c")
    codes(plain("1", W, "a", 100), Item("hold", TWO, "reserve"))
    assert codes(release("end", "hold")) == ["created"]
    assert [balance(address) for address in "abc"] == [(0, 100, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    assert _hold() == ("voided", True)


def test_sends_fill_the_pendings_of_their_accounts_in_order() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 100), Item("hold", [Move("a", "b", 10), Move("a", "b", 20)], "reserve"))
    assert codes(settle("end", "hold", Move("a", "b", 15), Move("a", "b", 1))) == ["created"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, amount_minor FROM ledger_posting WHERE pending_id IS NOT NULL ORDER BY position")
        assert cursor.fetchall() == [("post", 10), ("post", 6)]
    assert balance("a") == (16, 100, 0, 0)


def test_hold_on_accounts_without_a_rule_shows_in_their_balances() -> None:
    open_book()
    open_book("free", kind=FREE)
    codes(reserve("hold", W, "free", 5))
    assert (balance(W), balance("free")) == ((0, 0, 5, 0), (0, 0, 0, 5))
    codes(settle("end", "hold", Move(W, "free", 3)))
    assert (balance(W), balance("free")) == ((3, 0, 0, 0), (0, 3, 0, 0))


EXPIRIES = [
    #    how it is ended      a microsecond before    at its instant                 after the sweep
    (settle("end", "hold", *TWO), "created", "pending_transfer_expired"),
    (release("end", "hold"), "created", "pending_transfer_expired"),
]


@pytest.mark.parametrize("end,before,after", EXPIRIES, ids=["post", "void"])
def test_hold_expires_at_its_very_instant(end: Item, before: str, after: str) -> None:
    open_book("a", "b", "c")
    codes(plain("1", W, "a", 100), now=START)
    codes(Item("hold", TWO, "reserve", timeout=30), now=START)
    instant = START + timedelta(seconds=30)
    with db_transaction.atomic():
        assert codes(end, now=instant - timedelta(microseconds=1)) == [before]
        db_transaction.set_rollback(True)
    assert codes(end, now=instant) == [after]
    assert [balance(address) for address in "abc"] == HELD  # its amounts return with the sweep, not before
    with clock.use(clock.FixedClock(instant)):
        assert drains.depth("hold_expiry") == 1
        assert drains.drain("hold_expiry") == 1
        assert drains.depth("hold_expiry") == 0
    assert [balance(address) for address in "abc"] == [(0, 100, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0)]
    assert _hold() == ("expired", True)
    assert codes(end, now=instant) == [after]


def test_sweep_ends_only_what_is_due() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 100), now=START)
    codes(
        reserve("never", "a", "b", 1, timeout=0),
        reserve("later", "a", "b", 2, timeout=31),
        reserve("k" * 255, "a", "b", 4, timeout=30),
        reserve("posted", "a", "b", 8, timeout=30),
        now=START,
    )
    codes(settle("end", "posted", Move("a", "b", 8)), now=START)
    with clock.use(clock.FixedClock(START + timedelta(seconds=30))):
        assert expiry.expire() == 1
        assert expiry.expire() == 0
    assert balance("a") == (8, 100, 3, 0)
    with clock.use(clock.FixedClock(START + timedelta(days=40_000))):
        assert expiry.expire() == 1
    assert balance("a") == (8, 100, 1, 0)


def test_expiry_is_not_for_the_impatient() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 100), reserve("hold", "a", "b", 1, timeout=30), now=START)
    early = Item("expire:x", phase="expire", hold="hold")
    assert codes(early, now=START + timedelta(seconds=29)) == ["pending_transfer_not_expired"]
    assert codes(Item("expire:y", phase="expire", hold="hold"), now=START + timedelta(seconds=30)) == ["created"]


def test_hold_ends_once_when_all_try_at_once() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 100), now=START)
    codes(reserve("hold", "a", "b", 60, timeout=30), now=START)
    instant = START + timedelta(seconds=30)

    def sweep() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ledger_expire(id::smallint, 10, %s) FROM ledger_book", [instant])
            return ["created" for row in cursor.fetchall() if row[0]]

    ends = raise_first(
        run_threads(
            lambda: codes(settle("p1", "hold", Move("a", "b", 60)), now=START),
            lambda: codes(settle("p2", "hold", Move("a", "b", 1)), now=START),
            lambda: codes(release("v", "hold"), now=START),
            sweep,
            sweep,
        )
    )
    assert [code for codes_ in ends for code in codes_].count("created") == 1
    debits, credits, pending, _ = balance("a")
    assert (credits, pending) == (100, 0)
    assert debits in (0, 1, 60)


def test_money_of_an_expired_hold_is_free_in_the_same_second() -> None:
    open_book("a", "b")
    codes(plain("1", W, "a", 100), reserve("hold", "a", "b", 100, timeout=1), now=START)
    assert codes(plain("2", "a", "b", 1), now=START) == ["exceeds_credits"]
    with clock.use(clock.FixedClock(START + timedelta(seconds=1))):
        expiry.expire()
    assert codes(plain("3", "a", "b", 100), now=START + timedelta(seconds=1)) == ["created"]


def _hold() -> tuple[str, bool]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT h.state, h.ended_by = t.id FROM ledger_hold h"
            " LEFT JOIN ledger_transaction t ON t.hold_id = h.transaction_id"
        )
        ((state, by_its_end),) = cursor.fetchall()
    return state, by_its_end
