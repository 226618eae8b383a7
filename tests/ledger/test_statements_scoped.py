"""Account statements as of a block or a date and of a period: exact values, and the same as a model's on random books."""

import csv
import io
import random
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger import accounts, fold, periods, seals
from ledger.accounts import Opening
from ledger.controls.refusals import NotFound
from ledger.reports import books, sheets
from ledger.reports.scopes import Scope, scope_of
from ledger.statements import Balances, Line, Statement, statement
from tests.ledger.door import Item, Move, codes, release, settle
from tests.local.rows_read import rows_read

pytestmark = pytest.mark.usefixtures("database")

ENV = "test"
MONDAY = date(2026, 3, 2)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KINDS = {
    "bank:b1": accounts.BANK,
    "users:u1:available": accounts.USER,
    "transit:transfers": accounts.TRANSFER_TRANSIT_KIND,
}
BANK, U1, TRANSIT = KINDS

Four = tuple[int, int, int, int]
Told = tuple[str, str, int, int, Balances]


def open_all() -> None:

    accounts.open_accounts(environment=ENV, openings=[Opening(address, "EUR", kind) for address, kind in KINDS.items()])


def item(key: str, debit: str, credit: str, amount: int, day: int, phase: str = "") -> Item:
    moves, at = [Move(debit, credit, amount)], NOON + timedelta(days=day)
    return Item(key, moves, phase, effective_at=at) if phase else Item(key, moves, effective_at=at)


@pytest.fixture
def book() -> None:
    """Monday: 100.00 come in, 20.00 are held. Tuesday: 5.00 of these are taken. Wednesday: 1.00 comes in.

    Last of all, 7.00 are written down that count on Monday.
    """
    open_all()
    end = settle("taken", "held", Move(U1, TRANSIT, 500))
    posted = codes(
        item("in", BANK, U1, 10_000, 0),
        item("held", U1, TRANSIT, 2_000, 0, "reserve"),
        Item(end.key, end.postings, end.phase, hold="held", effective_at=NOON + timedelta(days=1)),
        item("more", BANK, U1, 100, 2),
        item("late", BANK, U1, 700, 0),
    )
    assert posted == ["created"] * 5


def of(scope: Scope | None, address: str = U1, after: UUID | None = None, limit: int = 500) -> Statement:
    return statement(environment=ENV, address=address, asset="EUR", after=after, limit=limit, scope=scope)


def on(day: date) -> Scope:
    return scope_of(environment=ENV, on=day)


def period(since: date, to: date) -> Scope:
    return scope_of(environment=ENV, since=since, to=to)


def told(page: Statement) -> list[Told]:
    return [(line.key, line.kind, line.posted, line.pending, line.after) for line in page.lines]


def test_as_of_a_date_stands_what_counts_up_to_its_end(book: None) -> None:
    page = of(on(MONDAY))
    assert page.opening == Balances()
    assert told(page) == [
        ("in", "posted", 10_000, 0, Balances(0, 10_000, 0, 0)),
        ("held", "pending", 0, 2_000, Balances(0, 10_000, 2_000, 0)),
        ("late", "posted", 700, 0, Balances(0, 10_700, 2_000, 0)),
    ]
    assert page.closing == Balances(0, 10_700, 2_000, 0)
    assert of(on(MONDAY - timedelta(days=1))).closing == Balances()
    assert told(of(on(WEDNESDAY))) == told(of(None))


def test_a_period_opens_with_what_counted_before_it(book: None) -> None:
    page = of(period(TUESDAY, WEDNESDAY))
    assert page.opening == Balances(0, 10_700, 2_000, 0)
    assert told(page) == [
        ("taken", "post", 500, -2_000, Balances(500, 10_700, 0, 0)),
        ("more", "posted", 100, 0, Balances(500, 10_800, 0, 0)),
    ]
    assert page.closing == of(on(WEDNESDAY)).closing == Balances(500, 10_800, 0, 0)
    assert of(period(TUESDAY, TUESDAY)).closing == of(on(TUESDAY)).closing
    empty = of(period(WEDNESDAY + timedelta(days=1), WEDNESDAY + timedelta(days=9)))
    assert (list(empty.lines), empty.opening, empty.closing) == ([], page.closing, page.closing)


def test_as_of_a_block_it_stays_when_more_is_posted(book: None) -> None:
    block = seals.seal(ENV)
    assert block is not None
    sealed = scope_of(environment=ENV, block=block.number)
    before = of(sealed)
    assert (before.provisional, len(before.lines), before.closing) == (False, 5, Balances(500, 10_800, 0, 0))
    codes(item("back", BANK, U1, 1, -9))
    assert of(sealed) == before
    second = seals.seal(ENV)
    assert second is not None
    assert of(sealed) == before
    assert told(of(scope_of(environment=ENV, block=second.number))) == told(of(None))


def test_whether_a_period_is_locked_is_told_without_reading_its_transactions(
    book: None, superuser_connection: psycopg.Connection
) -> None:
    for number in range(5):
        codes(item(f"more:{number}", BANK, U1, 1, 0))
    with rows_read("ledger_transaction", superuser_connection) as transactions:
        assert on(MONDAY).provisional
    assert transactions.rows <= 1, "the earliest, from the end of its index"


def test_what_is_locked_is_final_and_else_provisional(book: None) -> None:
    assert [of(scope).provisional for scope in (None, on(MONDAY), period(MONDAY, MONDAY))] == [True, True, True]
    periods.lock(ENV, MONDAY, "user:f", NOON)
    assert [of(scope).provisional for scope in (None, on(MONDAY), period(MONDAY, MONDAY))] == [True, False, False]
    assert of(period(MONDAY, TUESDAY)).provisional


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_in_a_scope_join_into_the_whole(book: None, limit: int) -> None:
    seals.seal(ENV)
    codes(item("unsealed", BANK, U1, 3, 0))
    for scope in (scope_of(environment=ENV, block=1), on(TUESDAY), period(TUESDAY, WEDNESDAY)):
        whole = of(scope)
        found: list[Line] = []
        closing, after = whole.opening, None
        for _ in range(len(whole.lines) + 1):
            page = of(scope, after=after, limit=limit)
            assert page.opening == closing
            assert len(page.lines) <= limit
            found += page.lines
            closing, after = page.closing, page.next_after
            if after is None:
                break
        assert found == list(whole.lines), scope.told
        assert closing == whole.closing


def test_unknown_account_is_not_found_in_a_scope(book: None) -> None:
    with pytest.raises(NotFound):
        of(on(MONDAY), "nobody")
    with pytest.raises(NotFound):
        sheets.account_statement(environment=ENV, address="nobody", asset="EUR", scope=on(MONDAY))


def read(scope: Scope, address: str = U1) -> list[dict[str, str]]:
    blocks = sheets.account_statement(environment=ENV, address=address, asset="EUR", scope=scope)
    return list(csv.DictReader(io.StringIO(b"".join(blocks).decode())))


def test_csv_in_a_scope_has_its_lines_and_no_others(book: None) -> None:
    rows = read(period(TUESDAY, WEDNESDAY))
    assert [
        (row["key"], row["posted"], row["pending"], row["debits_posted_after"], row["credits_posted_after"])
        for row in rows
    ] == [("taken", "5.00", "-20.00", "5.00", "107.00"), ("more", "1.00", "0.00", "5.00", "108.00")]
    assert [row["key"] for row in read(on(MONDAY))] == ["in", "held", "late"]
    seals.seal(ENV)
    codes(Item("formula", [Move(BANK, U1, 1)], subject="=1+1", effective_at=NOON))
    assert [row["key"] for row in read(scope_of(environment=ENV, block=1))] == ["in", "held", "taken", "more", "late"]
    assert [row["subject"] for row in read(on(MONDAY))][-1] == "'=1+1"
    assert read(period(WEDNESDAY + timedelta(days=1), WEDNESDAY + timedelta(days=1))) == []


# --- random books against a model --------------------------------------------------------------------------


@dataclass(frozen=True)
class Effect:
    """What one posting did to one account."""

    key: str
    account: str
    day: date
    block: int
    four: Four


_EFFECTS: list[Effect] = []
_HOLDS: dict[str, tuple[str, str, int]] = {}
_books = count(1)


def _add(key: str, debit: str, credit: str, day: date, block: int, posted: int, pending: int) -> None:
    _EFFECTS.append(Effect(key, debit, day, block, (posted, 0, pending, 0)))
    _EFFECTS.append(Effect(key, credit, day, block, (0, posted, 0, pending)))


def test_statements_agree_with_a_model_on_random_books() -> None:
    @settings(
        max_examples=10,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32))
    def any_book(seed: int) -> None:
        _play(random.Random(seed), next(_books))

    _EFFECTS.clear()
    _HOLDS.clear()
    open_all()
    any_book()
    assert len({effect.block for effect in _EFFECTS}) > 3
    assert len(_EFFECTS) > 40


def _play(draw: random.Random, number: int) -> None:
    """Go on with the book, then compare a statement of each kind, of each account, with the model."""
    for step in range(draw.randint(3, 9)):
        key, day = f"{number}:{step}", draw.randint(-3, 3)
        debit, credit = draw.sample([BANK, TRANSIT], 2)
        amount, at, when = draw.randint(1, 500), NOON + timedelta(days=day), MONDAY + timedelta(days=day)
        newest = seals.newest(ENV)
        block = newest.number + 1 if newest else 1
        match draw.choice(["plain", "plain", "reserve", "end", "fold", "seal"]):
            case "plain":
                assert codes(item(key, debit, credit, amount, day)) == ["created"]
                _add(key, debit, credit, when, block, amount, 0)
            case "reserve":
                assert codes(item(key, debit, credit, amount, day, "reserve")) == ["created"]
                _add(key, debit, credit, when, block, 0, amount)
                _HOLDS[key] = (debit, credit, amount)
            case "end" if _HOLDS:
                hold = draw.choice(sorted(_HOLDS))
                debit, credit, whole = _HOLDS.pop(hold)
                part = draw.choice([0, whole, draw.randint(1, whole)])
                ending = settle(key, hold, Move(debit, credit, part)) if part else release(key, hold)
                assert codes(Item(key, ending.postings, ending.phase, hold=hold, effective_at=at)) == ["created"]
                _add(key, debit, credit, when, block, part, -whole)
            case "fold":
                fold.fold()
            case "seal":
                seals.seal(ENV)
            case _:
                pass
    since = MONDAY + timedelta(days=draw.randint(-4, 3))
    to = since + timedelta(days=draw.randint(0, 3))
    newest = seals.newest(ENV)
    for address in (BANK, TRANSIT):
        mine = [effect for effect in _EFFECTS if effect.account == address]
        _compare(scope_of(environment=ENV), address, [], mine)
        _compare(on(since), address, [], [one for one in mine if one.day <= since])
        before = [one for one in mine if one.day < since]
        _compare(period(since, to), address, before, [one for one in mine if since <= one.day <= to])
        for block in {1, newest.number} if newest else set():
            scope = scope_of(environment=ENV, block=block)
            _compare(scope, address, [], [one for one in mine if one.block <= block])


def _compare(scope: Scope, address: str, before: list[Effect], inside: list[Effect]) -> None:
    page = of(scope, address)
    running = [sum(column) for column in zip((0, 0, 0, 0), *(one.four for one in before), strict=True)]
    assert page.opening == Balances(*running), scope.told
    expected: list[tuple[str, Balances]] = []
    for one in inside:
        running = [a + b for a, b in zip(running, one.four, strict=True)]
        expected.append((one.key, Balances(*running)))
    assert [(line.key, line.after) for line in page.lines] == expected, scope.told
    if not before:
        lines, _ = books.balances(scope, asset="EUR")
        (row,) = [line for line in lines if line.address == address]
        stands = Balances(row.debits_posted, row.credits_posted, row.debits_pending, row.credits_pending)
        assert page.closing == stands, scope.told
