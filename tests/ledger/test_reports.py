"""Reports from postings alone: exact values, the same as a dict model's on random books, as of blocks, dates, periods."""

import csv
import io
import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any

import psycopg
import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger import accounts, fold, periods, seals
from ledger.accounts import Opening
from ledger.controls.refusals import Malformed, NotFound
from ledger.reports import books, sheets
from ledger.reports.books import Day
from ledger.reports.scopes import Scope, scope_of
from ledger.statements import Balances, place_before_newest, statement
from tests.ledger.door import Item, Move, codes, release, reserve, settle
from tests.ledger.door import plain as plain_item

pytestmark = pytest.mark.usefixtures("database")

ENV = "test"
MONDAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KINDS = {
    "@world": accounts.OUTSIDE,
    "bank:b1": accounts.BANK,
    "users:u1:available": accounts.USER,
    "users:u2:available": accounts.USER,
    "transit:transfers": accounts.TRANSFER_TRANSIT_KIND,
    "revenue:transfer": accounts.TRANSFER_REVENUE_KIND,
}
W, BANK, U1, U2, TRANSIT, REVENUE = KINDS
ASSETS = ("EUR", "JPY")

Four = tuple[int, int, int, int]


def open_all() -> None:
    openings = [Opening(address, asset, kind) for address, kind in KINDS.items() for asset in ASSETS]
    accounts.open_accounts(environment=ENV, openings=openings)


def plain(key: str, debit: str, credit: str, amount: int, day: int = 0, asset: str = "EUR") -> Item:
    return Item(key, [Move(debit, credit, amount, asset)], effective_at=NOON + timedelta(days=day))


@pytest.fixture
def book() -> None:
    """Monday: 100.00 comes in. Tuesday: u1 pays 30.00 of it to u2, 1.00 of that is ours; 20.00 are held."""
    open_all()
    assert codes(plain("1", BANK, U1, 10_000)) == ["created"]
    assert codes(plain("2", U1, U2, 2_900, 1), plain("3", U1, REVENUE, 100, 1)) == ["created", "created"]
    hold = Item("4", [Move(U1, TRANSIT, 2_000)], "reserve", effective_at=NOON + timedelta(days=1))
    assert codes(hold) == ["created"]


def fours(scope: Scope) -> dict[tuple[str, str], Four]:
    lines, more = books.balances(scope, limit=1000)
    assert more is None
    return {
        (line.address, line.asset): (
            line.debits_posted,
            line.credits_posted,
            line.debits_pending,
            line.credits_pending,
        )
        for line in lines
        if any((line.debits_posted, line.credits_posted, line.debits_pending, line.credits_pending))
    }


def now() -> Scope:
    return scope_of(environment=ENV)


def test_trial_balance_stands_by_code_and_asset_and_sums_to_zero(book: None) -> None:
    found = books.trial_balance(now(), asset="EUR")
    told = {
        line.gl_code: (
            line.accounts,
            line.debit_balance,
            line.credit_balance,
            line.debits_pending,
            line.credits_pending,
        )
        for line in found.lines
    }
    assert told == {
        "1000": (1, 10_000, 0, 0, 0),
        "2005": (2, 0, 9_900, 2_000, 0),
        "2910": (1, 0, 0, 0, 2_000),
        "3900": (1, 0, 0, 0, 0),
        "4030": (1, 0, 100, 0, 0),
    }
    (total,) = found.totals
    assert (total.debits_posted, total.credits_posted) == (13_000, 13_000)
    assert (total.debit_balance, total.credit_balance) == (10_000, 10_000)
    assert (total.debits_pending, total.credits_pending) == (2_000, 2_000)
    assert total.zero_sum
    assert found.zero_sum
    assert {line.asset for line in books.trial_balance(now()).lines} == {"EUR", "JPY"}


def test_trial_balance_says_so_when_it_does_not_sum_to_zero(book: None, superuser_connection: object) -> None:
    import psycopg

    assert isinstance(superuser_connection, psycopg.Connection)
    fold.fold()
    with superuser_connection.transaction():
        superuser_connection.execute("SET LOCAL session_replication_role = replica")
        superuser_connection.execute(
            "UPDATE ledger_account SET debits_posted = debits_posted + 1 WHERE address = 'bank:b1' AND asset = 'EUR'"
        )
    found = books.trial_balance(now())
    assert {total.asset: total.zero_sum for total in found.totals} == {"EUR": False, "JPY": True}
    assert not found.zero_sum
    assert [one.zero_sum for one in books.alm(now(), asset="EUR")] == [False]


def test_alm_tells_what_is_owed_what_covers_it_and_what_is_left(book: None) -> None:
    codes(plain("in", U2, TRANSIT, 400, 1))
    (euro,) = books.alm(now(), asset="EUR")
    assert {part: euro.of(part) for part in ("covers", "owed", "in_flight", "own")} == {
        "covers": 10_000,
        "owed": 9_500,
        "in_flight": 400,
        "own": 100,
    }
    assert euro.surplus == 100
    assert euro.zero_sum
    lines = {(line.account_class, line.workflow_view): (line.amount, line.pending) for line in euro.lines}
    assert lines[("liability", "wallets")] == (9_500, -2_000)
    assert lines[("liability", "in_flight")] == (400, 2_000)
    assert lines[("asset", "banks")] == (10_000, 0)
    codes(plain("loss", REVENUE, U1, 300, 1))
    (after,) = books.alm(now(), asset="EUR")
    assert after.surplus == -200


def test_report_as_of_a_block_stays_when_more_is_posted(book: None) -> None:
    first = seals.seal(ENV)
    assert first is not None
    before = fours(now())
    sealed = scope_of(environment=ENV, block=first.number)
    assert (sealed.provisional, sealed.root) == (False, first.root)
    assert fours(sealed) == before
    codes(settle("5", "4", Move(U1, TRANSIT, 500)), plain("6", BANK, U2, 7, -30))
    assert fours(now()) != before
    assert fours(sealed) == before  # what waits for the sealer is not in it
    second = seals.seal(ENV)
    assert second is not None
    assert fours(sealed) == before
    assert fours(scope_of(environment=ENV, block=second.number)) == fours(now())
    for n in range(20):
        codes(plain_item(f"more:{n}", W, U1, 1))
    seals.seal(ENV)
    assert (
        "number <= " in scope_of(environment=ENV, block=first.number).statement
    )  # the short way round, from the start
    assert fours(scope_of(environment=ENV, block=first.number)) == before


def test_report_as_of_a_date_is_final_when_every_date_to_it_is_locked(book: None) -> None:
    monday = scope_of(environment=ENV, on=MONDAY)
    assert monday.provisional
    assert fours(monday) == {(BANK, "EUR"): (10_000, 0, 0, 0), (U1, "EUR"): (0, 10_000, 0, 0)}
    tuesday = MONDAY + timedelta(days=1)
    periods.lock(ENV, tuesday, "user:f", NOON)
    assert scope_of(environment=ENV, on=tuesday).provisional  # Monday is open yet
    periods.lock(ENV, MONDAY, "user:f", NOON)
    assert not scope_of(environment=ENV, on=MONDAY).provisional
    assert not scope_of(environment=ENV, on=tuesday).provisional
    assert not scope_of(environment=ENV, since=MONDAY, to=tuesday).provisional
    assert scope_of(environment=ENV, on=tuesday + timedelta(days=1)).provisional
    assert now().provisional


def test_report_of_a_period_holds_what_counts_in_it_and_no_more(book: None) -> None:
    tuesday = MONDAY + timedelta(days=1)
    assert fours(scope_of(environment=ENV, since=tuesday, to=tuesday)) == {
        (U1, "EUR"): (3_000, 0, 2_000, 0),
        (U2, "EUR"): (0, 2_900, 0, 0),
        (REVENUE, "EUR"): (0, 100, 0, 0),
        (TRANSIT, "EUR"): (0, 0, 0, 2_000),
    }
    assert fours(scope_of(environment=ENV, since=MONDAY, to=tuesday)) == fours(now())


def test_a_scope_is_one_thing() -> None:
    for asked in (
        {"block": 1, "on": MONDAY},
        {"on": MONDAY, "since": MONDAY, "to": MONDAY},
        {"since": MONDAY},
        {"to": MONDAY},
        {"since": MONDAY, "to": MONDAY - timedelta(days=1)},
        {"on": date(1999, 12, 31)},
        {"on": date(9999, 12, 31)},
    ):
        with pytest.raises(Malformed):
            scope_of(environment=ENV, **asked)
    with pytest.raises(NotFound):
        scope_of(environment=ENV, block=1)


def test_balances_by_day_end_in_the_present_balance(book: None) -> None:
    thursday = NOON + timedelta(days=3)
    found = books.by_day(now(), now=thursday, days=5, address=U1, asset="EUR")
    assert found == [
        Day("EUR", MONDAY + timedelta(days=n - 1), amount) for n, amount in enumerate([0, 10_000, 7_000, 7_000, 7_000])
    ]
    codes(plain("later", BANK, U1, 5, 10))
    assert books.by_day(now(), now=thursday, days=5, address=U1, asset="EUR") == found


def test_money_in_flight_is_what_is_in_transit_and_what_is_held(book: None) -> None:
    """2,000 are held on Tuesday; on Wednesday 40 go into transit, and 500 of the hold's whole 2,000 do."""

    def flying() -> list[int]:
        thursday = NOON + timedelta(days=3)
        return [day.amount for day in books.in_flight_by_day(now(), now=thursday, days=4, asset="EUR")]

    assert flying() == [0, 2_000, 2_000, 2_000]
    codes(plain("in", U1, TRANSIT, 40, 2))
    assert flying() == [0, 2_000, 2_040, 2_040]
    post = Item("5", [Move(U1, TRANSIT, 500)], "settle", hold="4", effective_at=NOON + timedelta(days=2))
    assert codes(post) == ["created"]
    assert flying() == [0, 2_000, 540, 540]
    assert codes(Item("6", [Move(U1, U2, 7)], "reserve", effective_at=NOON + timedelta(days=3))) == ["created"]
    assert flying() == [0, 2_000, 540, 547]
    assert codes(Item("7", [], "release", hold="6", effective_at=NOON + timedelta(days=3))) == ["created"]
    assert flying() == [0, 2_000, 540, 540]


def test_money_in_flight_by_day_ends_where_its_scope_does(book: None) -> None:
    """As of a date or a block it is what stood then; a period has its own dates, at whose end more than its own stands."""
    tuesday, friday = MONDAY + timedelta(days=1), MONDAY + timedelta(days=4)
    assert seals.seal(ENV) is not None
    codes(plain("in", U1, TRANSIT, 40, 2), plain("more", U1, TRANSIT, 5, 4))

    def flying(scope: Scope, days: int = 2) -> list[tuple[date, int]]:
        found = books.in_flight_by_day(scope, now=NOON + timedelta(days=9), days=days, asset="EUR")
        return [(day.day, day.amount) for day in found]

    assert flying(scope_of(environment=ENV, on=tuesday)) == [(MONDAY, 0), (tuesday, 2_000)]
    assert flying(scope_of(environment=ENV, on=friday)) == [(friday - timedelta(days=1), 2_040), (friday, 2_045)]
    assert [amount for _, amount in flying(scope_of(environment=ENV, since=MONDAY, to=friday))] == [
        *(0, 2_000, 2_040, 2_040, 2_045)
    ]
    wednesday = tuesday + timedelta(days=1)
    assert flying(scope_of(environment=ENV, since=wednesday, to=wednesday)) == [(wednesday, 2_040)]
    long = flying(scope_of(environment=ENV, since=MONDAY - timedelta(days=1_000), to=friday))
    assert (len(long), long[0], long[-1]) == (366, (friday - timedelta(days=365), 0), (friday, 2_045))
    sealed = scope_of(environment=ENV, block=1)
    assert sealed.last is not None
    assert flying(sealed) == [(sealed.last - timedelta(days=1), 2_000), (sealed.last, 2_000)]
    assert [amount for _, amount in flying(now())] == [2_045, 2_045]


def test_days_are_those_of_the_books_zone(book: None, superuser_connection: psycopg.Connection[Any]) -> None:
    late = NOON + timedelta(days=3, hours=11)
    superuser_connection.execute("UPDATE ledger_book SET close_zone = 'Europe/Berlin' WHERE environment = %s", [ENV])
    try:
        (day,) = books.in_flight_by_day(now(), now=late, days=1, asset="EUR")
    finally:
        superuser_connection.execute("UPDATE ledger_book SET close_zone = 'UTC' WHERE environment = %s", [ENV])
    assert day.day == MONDAY + timedelta(days=4)


def test_newest_page_of_a_statement_opens_with_what_stood_before_it() -> None:
    open_all()
    for n in range(12):
        codes(plain(f"k{n}", BANK, U1, n + 1))
    codes(reserve("r", U1, W, 3), release("v", "r"))
    for limit in (1, 3, 5, 13):
        place = place_before_newest(environment=ENV, address=U1, asset="EUR", limit=limit)
        page = statement(environment=ENV, address=U1, asset="EUR", after=place, limit=limit)
        assert len(page.lines) == limit
        assert page.next_after is None
        whole = statement(environment=ENV, address=U1, asset="EUR", limit=500)
        assert list(page.lines) == list(whole.lines[-limit:])
        assert page.opening == whole.lines[-limit - 1].after
    assert place_before_newest(environment=ENV, address=U1, asset="EUR", limit=14) is None


def test_statement_pages_agree_whichever_way_their_opening_is_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    open_all()
    codes(*(plain(f"k{n}", BANK, U1, n + 1) for n in range(20)))
    codes(reserve("r", U1, W, 3))
    places = [line.posting_id for line in statement(environment=ENV, address=U1, asset="EUR").lines]
    backward = [statement(environment=ENV, address=U1, asset="EUR", after=place) for place in places]
    monkeypatch.setattr("ledger.statements._FEW", 0)
    assert [statement(environment=ENV, address=U1, asset="EUR", after=place) for place in places] == backward
    assert backward[-1].opening == Balances(0, 210, 3, 0)


# --- random books against a dict ---------------------------------------------------------------------------


@dataclass
class Model:
    """What each posting did, in order: account, business date, block, and its four effects."""

    effects: list[tuple[tuple[str, str], date, int, Four]] = field(default_factory=list)
    holds: dict[str, tuple[str, str, int, str]] = field(default_factory=dict)
    block: int = 1

    def add(self, debit: str, credit: str, asset: str, day: date, posted: int, pending: int) -> None:
        self.effects.append(((debit, asset), day, self.block, (posted, 0, pending, 0)))
        self.effects.append(((credit, asset), day, self.block, (0, posted, 0, pending)))

    def seal(self) -> None:
        """Let what was added be in this block, and what comes now in the next."""
        self.block += 1

    def balances(
        self, *, through: int | None = None, since: date | None = None, until: date | None = None
    ) -> dict[tuple[str, str], Four]:
        found: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        for account, day, block, four in self.effects:
            if (
                (through is None or block <= through)
                and (since is None or day >= since)
                and (until is None or day <= until)
            ):
                found[account] = [a + b for a, b in zip(found[account], four, strict=True)]
        return {account: (four[0], four[1], four[2], four[3]) for account, four in found.items() if any(four)}


_books = count(1)


def test_reports_agree_with_a_model_on_random_books() -> None:
    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32))
    def any_book(seed: int) -> None:
        _play(random.Random(seed), next(_books))

    _MODEL.effects.clear()
    open_all()
    any_book()
    assert len({block for _, _, block, _ in _MODEL.effects}) > 4  # it was sealed in between


_MODEL = Model()


def _play(draw: random.Random, number: int) -> None:
    """Go on with one book: draw what happens, then compare every kind of report with the model."""
    free = [W, BANK, TRANSIT, REVENUE]
    for step in range(draw.randint(3, 10)):
        key, day, asset = f"{number}:{step}", draw.randint(-3, 3), draw.choice(ASSETS)
        debit, credit = draw.sample(free, 2)
        amount, at, on = draw.randint(1, 500), NOON + timedelta(days=day), MONDAY + timedelta(days=day)
        match draw.choice(["plain", "plain", "reserve", "end", "fold", "seal"]):
            case "plain":
                assert codes(plain(key, debit, credit, amount, day, asset)) == ["created"]
                _MODEL.add(debit, credit, asset, on, amount, 0)
            case "reserve":
                assert codes(Item(key, [Move(debit, credit, amount, asset)], "reserve", effective_at=at)) == ["created"]
                _MODEL.add(debit, credit, asset, on, 0, amount)
                _MODEL.holds[key] = (debit, credit, amount, asset)
            case "end" if _MODEL.holds:
                hold = draw.choice(sorted(_MODEL.holds))
                debit, credit, whole, asset = _MODEL.holds.pop(hold)
                part = draw.choice([0, whole, draw.randint(1, whole)])
                ending = settle(key, hold, Move(debit, credit, part, asset)) if part else release(key, hold)
                assert codes(Item(key, ending.postings, ending.phase, hold=hold, effective_at=at)) == ["created"]
                _MODEL.add(debit, credit, asset, on, part, -whole)
            case "fold":
                fold.fold()
            case "seal":
                if seals.seal(ENV) is not None:
                    _MODEL.seal()
            case _:
                pass
    _compare(now(), _MODEL.balances())
    for block in {1, _MODEL.block - 1} - {0}:
        _compare(scope_of(environment=ENV, block=block), _MODEL.balances(through=block))
    since = MONDAY + timedelta(days=draw.randint(-4, 3))
    _compare(scope_of(environment=ENV, on=since), _MODEL.balances(until=since))
    to = since + timedelta(days=draw.randint(0, 3))
    _compare(scope_of(environment=ENV, since=since, to=to), _MODEL.balances(since=since, until=to))


def _compare(scope: Scope, expected: dict[tuple[str, str], Four]) -> None:
    assert fours(scope) == expected, scope.told
    found = books.trial_balance(scope)
    assert found.zero_sum
    assert all(one.zero_sum for one in books.alm(scope))
    for line in found.lines:
        of_code = [
            f
            for (address, asset), f in expected.items()
            if asset == line.asset and KINDS[address].gl_code == line.gl_code
        ]
        assert (line.debits_posted, line.credits_posted, line.debits_pending, line.credits_pending) == tuple(
            sum(four[n] for four in of_code) for n in range(4)
        )
    for one in books.alm(scope):
        net = {a: f[1] - f[0] for (a, asset), f in expected.items() if asset == one.asset}
        assert one.of("covers") == -net.get(BANK, 0) - net.get(W, 0)
        assert one.of("owed") == net.get(U1, 0) + net.get(U2, 0)
        assert one.of("in_flight") == net.get(TRANSIT, 0)
        assert one.surplus == net.get(REVENUE, 0)


# --- CSV ---------------------------------------------------------------------------------------------------


def read(blocks: object) -> list[dict[str, str]]:
    text = b"".join(blocks).decode()  # type: ignore[arg-type]  # blocks of bytes
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_tells_what_the_report_tells(book: None) -> None:
    rows = read(sheets.report(sheets.TRIAL_BALANCE, now(), asset="EUR"))
    lines = books.trial_balance(now(), asset="EUR").lines
    assert [row["gl_code"] for row in rows] == [line.gl_code for line in lines]
    assert [(r["debit_balance"], r["credit_balance"], r["debits_pending"]) for r in rows][:2] == [
        ("100.00", "0.00", "0.00"),
        ("0.00", "99.00", "20.00"),
    ]
    alm = read(sheets.report(sheets.ALM, now(), asset="EUR"))
    assert [(r["part"], r["account_class"], r["workflow_view"], r["posted"], r["pending"]) for r in alm] == [
        ("covers", "asset", "banks", "100.00", "0.00"),
        ("covers", "equity", "outside", "0.00", "0.00"),
        ("owed", "liability", "wallets", "99.00", "-20.00"),
        ("in_flight", "liability", "in_flight", "0.00", "20.00"),
        ("own", "income", "revenue", "1.00", "0.00"),
    ]
    assert {(r["as_of"], r["final"], r["root"]) for r in alm} == {("now", "no", "")}
    block = seals.seal(ENV)
    assert block is not None
    sealed = read(sheets.report(sheets.TRIAL_BALANCE, scope_of(environment=ENV, block=block.number), asset="EUR"))
    assert {(r["as_of"], r["final"], r["root"]) for r in sealed} == {(f"block {block.number}", "yes", block.root)}
    balances = read(sheets.report(sheets.BALANCES, now(), gl_code="2005"))
    assert [(r["address"], r["asset"], r["balance"]) for r in balances] == [
        (U1, "EUR", "70.00"),
        (U1, "JPY", "0"),
        (U2, "EUR", "29.00"),
        (U2, "JPY", "0"),
    ]


def test_csv_of_a_statement_has_every_line_with_its_running_balance(book: None) -> None:
    rows = read(sheets.account_statement(environment=ENV, address=U1, asset="EUR"))
    lines = statement(environment=ENV, address=U1, asset="EUR").lines
    assert [(r["ledger_id"], r["key"]) for r in rows] == [(line.reference, line.key) for line in lines]
    assert [(r["debits_posted_after"], r["credits_posted_after"], r["debits_pending_after"]) for r in rows] == [
        ("0.00", "100.00", "0.00"),
        ("29.00", "100.00", "0.00"),
        ("30.00", "100.00", "0.00"),
        ("30.00", "100.00", "20.00"),
    ]
    assert rows[0]["effective_at"] == "2026-03-02T12:00:00.000000Z"
    with pytest.raises(NotFound):
        sheets.account_statement(environment=ENV, address="nobody", asset="EUR")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_text_is_no_formula_and_amounts_are_plain(start: str) -> None:
    open_all()
    codes(Item("k", [Move(BANK, U1, 1)], subject=f"{start}1+1"))
    (row,) = read(sheets.account_statement(environment=ENV, address=BANK, asset="EUR"))
    assert row["subject"] == f"'{start}1+1"
    (world,) = [r for r in read(sheets.report(sheets.BALANCES, now(), asset="EUR")) if "world" in r["address"]]
    assert world["address"] == "'@world"
    codes(Item("l", [Move(W, U1, 1)]))
    (world,) = [r for r in read(sheets.report(sheets.BALANCES, now(), asset="EUR")) if "world" in r["address"]]
    assert world["balance"] == "-0.01"


def test_reports_take_one_statement_each(book: None) -> None:
    scope = now()
    for report in (books.trial_balance, books.alm, books.balances):
        with connection.execute_wrapper(_Counter()) as _:
            _Counter.calls = 0
            report(scope)
            assert _Counter.calls == 1, report


class _Counter:
    calls = 0

    def __call__(self, execute: object, query: object, params: object, many: object, context: object) -> object:
        _Counter.calls += 1
        return execute(query, params, many, context)  # type: ignore[operator]  # Django's hook
