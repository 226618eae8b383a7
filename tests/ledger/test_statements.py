"""Account statements: every posting of an account with running balances, in pages of any size."""

from typing import Any
from uuid import UUID

import psycopg
import pytest

from ledger.controls.refusals import NotFound
from ledger.statements import (
    _BACKWARD,
    Balances,
    Line,
    Statement,
    account_id,
    page_of_all,
    place_before_newest,
    statement,
)
from tests.bench import filled
from tests.ledger.door import Item, Move, balance, codes, open_book, plain, release, reserve, settle

pytestmark = pytest.mark.usefixtures("database")

W = "@world"


def _of(address: str, **page: object) -> Statement:
    return statement(environment="test", address=address, asset="EUR", **page)  # type: ignore[arg-type]  # its own words


def _told(line: Line) -> tuple[object, ...]:
    return (line.key, line.kind, line.side, line.counterparty, line.posted, line.pending, line.after)


def test_lines_tell_pending_and_posted_apart() -> None:
    open_book("a", "b", "c")
    codes(plain("1", W, "a", 100))
    codes(Item("2", [Move("a", "b", 60), Move("a", "c", 30)], "reserve"))
    codes(settle("3", "2", Move("a", "b", 45)))
    codes(plain("4", "b", "a", 5))
    page = _of("a")
    assert page.opening == Balances()
    assert [_told(line) for line in page.lines] == [
        ("1", "posted", "credit", W, 100, 0, Balances(0, 100, 0, 0)),
        ("2", "pending", "debit", "b", 0, 60, Balances(0, 100, 60, 0)),
        ("2", "pending", "debit", "c", 0, 30, Balances(0, 100, 90, 0)),
        ("3", "post", "debit", "b", 45, -60, Balances(45, 100, 30, 0)),
        ("3", "void", "debit", "c", 0, -30, Balances(45, 100, 0, 0)),
        ("4", "posted", "credit", "b", 5, 0, Balances(45, 105, 0, 0)),
    ]
    assert page.closing == Balances(*balance("a"))
    assert page.next_after is None
    assert page.lines[0].reference == f"led_{page.lines[0].posting_id.hex}"


@pytest.mark.parametrize("address", ["a", W])
@pytest.mark.parametrize("limit", [1, 2, 3, 7, 500])
def test_pages_join_into_the_whole(address: str, limit: int) -> None:
    open_book("a", "b")
    codes(plain("0", W, "a", 1000))
    for n in range(4):
        codes(reserve(f"r{n}", "a", W, 10 + n), plain(f"p{n}", "a", "b", n + 1), plain(f"q{n}", "b", W, 1))
    codes(release("e0", "r0"), settle("e1", "r1", Move("a", W, 3)))
    whole = _of(address).lines
    assert len(whole) > 8
    pages: list[Line] = []
    after: UUID | None = None
    closing = Balances()
    for _ in range(len(whole) + 1):
        page = _of(address, after=after, limit=limit)
        assert page.opening == closing
        assert len(page.lines) <= limit
        pages += page.lines
        after, closing = page.next_after, page.closing
        if after is None:
            break
    assert pages == list(whole)
    assert closing == Balances(*balance(address))


def test_statement_is_empty_when_nothing_was_posted() -> None:
    open_book("a")
    page = _of("a")
    assert (list(page.lines), page.opening, page.closing, page.next_after) == ([], Balances(), Balances(), None)


def test_page_behind_the_last_line_opens_with_the_balance() -> None:
    open_book("a")
    codes(plain("1", W, "a", 7))
    page = _of("a", after=_of("a").lines[-1].posting_id)
    assert list(page.lines) == []
    assert page.closing == Balances(0, 7, 0, 0)


@pytest.mark.parametrize("limit,lines", [(0, 1), (-5, 1), (10_000, 3)])
def test_page_has_a_size(limit: int, lines: int) -> None:
    open_book("a")
    codes(*(plain(f"{n}", W, "a", 1) for n in range(3)))
    assert len(_of("a", limit=limit).lines) == lines


def test_unknown_account_is_not_found() -> None:
    with pytest.raises(NotFound):
        _of("nobody")


def test_page_is_read_along_its_accounts_own_indexes_in_a_full_book(
    superuser_connection: psycopg.Connection[Any],
) -> None:
    """Not by looking through what others posted since, nor by joining the whole table: the book may be of any size."""
    filled.add(superuser_connection, environment="test", first=1, last=10_000, total=10_000, each=50)
    superuser_connection.execute("ANALYZE")
    place = place_before_newest(environment="test", address=filled.BANK, asset="EUR")
    account = account_id(environment="test", address=filled.BANK, asset="EUR")
    given = {"account": account, "after": place, "limit": 51}
    for opening in (_BACKWARD, "SELECT 0::numeric AS dp, 0::numeric AS cp, 0::numeric AS dq, 0::numeric AS cq"):
        plan = superuser_connection.execute(
            f"EXPLAIN (ANALYZE, BUFFERS OFF, TIMING OFF) {page_of_all(opening)}".encode(), given
        ).fetchall()
        lines = "\n".join(row[0] for row in plan)
        assert "using ledger_posting_debit on ledger_posting" in lines
        assert "Scan on ledger_posting q" not in lines
        assert "Rows Removed by Filter" not in lines, lines
    page = statement(environment="test", address=filled.BANK, asset="EUR", after=place)
    whole = sum(1_000 + n % 977 + 7 for n in range(1, 10_001))
    assert (len(page.lines), page.closing.debits_posted, page.next_after) == (50, whole, None)
