"""L3, L4, L7, L8 against rows that the tables' owner inserts beside the write door, every trigger and check standing.

What the database takes, `verify_ledger` names, and nothing else; what it refuses leaves nothing.
"""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import psycopg
import pytest
from django.core.management import call_command
from django.db import transaction as db_transaction

from ledger import fold, periods, seals, verify
from ledger.models import Block, PeriodChange
from tests.ledger.door import ENVIRONMENT, Item, Move, balance, codes, counts, open_book, plain, reserve
from tests.ledger.door import test_book as number_of_test_book

pytestmark = pytest.mark.usefixtures("database")

Owner = psycopg.Connection[Any]
W: Final = "@world"
_EARLIER: Final = datetime(2025, 3, 11, 9, tzinfo=UTC)
_DAY: Final = datetime(2025, 3, 12, 9, tzinfo=UTC)
_LATER: Final = datetime(2025, 3, 13, 9, tzinfo=UTC)


@pytest.fixture
def owner(owner_connection: Owner) -> Owner:
    """A sound and sealed book: a and b may not be overdrawn. 12 March is locked since."""
    open_book("a", "b")
    codes(plain("funding", W, "a", 1000), plain("plain", "a", "b", 10), now=_DAY)
    codes(Item("held", [Move("a", "b", 60)], "reserve"), now=_DAY)
    seals.seal(ENVIRONMENT)
    fold.fold()
    locked = "INSERT INTO ledger_period VALUES (%s, '2025-03-12', '2025-03-13 00:00Z', 'lou')"
    owner_connection.execute(locked, [number_of_test_book()])
    assert _named() == {}
    return owner_connection


def _named() -> dict[str, list[str]]:
    """What is broken, by check; the command says the same."""
    found = {v.check.name: [f.subject for f in v.findings] for v in verify.verify() if v.breaks}
    output = io.StringIO()
    try:
        call_command("verify_ledger", stdout=output)
        ended = 0
    except SystemExit as end:
        ended = int(end.code or 0)
    assert (ended, "BROKEN" in output.getvalue()) == ((1, True) if found else (0, False))
    assert [one for subjects in found.values() for one in subjects if one not in output.getvalue()] == []
    return found


def _account(owner: Owner, address: str) -> int:
    row = owner.execute("SELECT id FROM ledger_account WHERE address = %s", [address]).fetchone()
    assert row is not None
    return int(row[0])


def _transaction(
    owner: Owner, key: str, *, effective_at: datetime = _LATER, recorded_at: datetime = _LATER, has_key: bool = True
) -> str:
    """Insert a transaction with all that the write door would leave beside its postings."""
    row = owner.execute(
        "INSERT INTO ledger_transaction (id, book_id, key, event_type, phase, subject, refs, metadata, request_id,"
        " effective_at, recorded_at) VALUES (uuidv7(), %s, %s, 'MANUAL_ADJUSTMENT', 'plain', 'ord_1', '{}', '{}', '', %s, %s)"
        " RETURNING id",
        [number_of_test_book(), key, effective_at, recorded_at],
    ).fetchone()
    assert row is not None
    if has_key:
        owner.execute("INSERT INTO ledger_key VALUES (%s, %s, %s)", [number_of_test_book(), key, row[0]])
    owner.execute("INSERT INTO ledger_unsealed VALUES (%s, %s)", [row[0], number_of_test_book()])
    return str(row[0])


def _posting(owner: Owner, transaction: str, debit: str, credit: str, amount: int, **more: Any) -> None:
    owner.execute(
        "INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, debit_account_id, credit_account_id, asset,"
        " amount_minor) VALUES (uuidv7(), %s, %s, %s, %s, %s, %s, 'EUR', %s)",
        [
            transaction,
            more.get("position", 0),
            number_of_test_book(),
            more.get("kind", "posted"),
            _account(owner, debit),
            _account(owner, credit),
            amount,
        ],
    )


def _delta(owner: Owner, address: str, *, debits: int = 0, credits: int = 0, pending: bool = False) -> None:
    column = "pending" if pending else "posted"
    columns = (f"debits_{column}", f"credits_{column}")
    others = ("debits_posted", "credits_posted") if pending else ("debits_pending", "credits_pending")
    owner.execute(
        f"INSERT INTO ledger_delta (account_id, {', '.join((*columns, *others))}) VALUES (%s, %s, %s, 0, 0)".encode(),
        [_account(owner, address), debits, credits],
    )


def _posted(owner: Owner, key: str, amount: int, **more: Any) -> None:
    """A whole transaction from a to b, balances and all: nothing of it disagrees with itself."""
    _posting(owner, _transaction(owner, key, **more), "a", "b", amount)
    _delta(owner, "a", debits=amount)
    _delta(owner, "b", credits=amount)


def _balance_without_postings(owner: Owner) -> None:
    _delta(owner, "b", credits=5)


def _postings_without_balance(owner: Owner) -> None:
    _posting(owner, _transaction(owner, "slipped in"), "a", "b", 5)


def _hold_of_more(owner: Owner) -> None:
    """One more line in a hold that was sealed, its pending balances along with it."""
    row = owner.execute("SELECT id FROM ledger_transaction WHERE key = 'held'").fetchone()
    assert row is not None
    _posting(owner, row[0], "a", "b", 40, position=1, kind="pending")
    _delta(owner, "a", debits=40, pending=True)
    _delta(owner, "b", credits=40, pending=True)


def _hold_of_more_unbalanced(owner: Owner) -> None:
    row = owner.execute("SELECT id FROM ledger_transaction WHERE key = 'held'").fetchone()
    assert row is not None
    _posting(owner, row[0], "a", "b", 40, position=1, kind="pending")


def _hold_of_nothing(owner: Owner) -> None:
    """A transaction called a hold that reserves nothing of its own."""
    _delta(owner, "a", debits=40, pending=True)
    _delta(owner, "b", credits=40, pending=True)


def _overdrawn(owner: Owner) -> None:
    _posted(owner, "more than there is", 5000)


def _second_of_its_key(owner: Owner) -> None:
    _posted(owner, "plain", 10, has_key=False)


def _without_key(owner: Owner) -> None:
    _posted(owner, "nobody's", 10, has_key=False)


def _into_a_locked_date(owner: Owner) -> None:
    _posted(owner, "too late", 10, effective_at=_DAY)


TAKEN = [
    #    what was inserted                              how                         named by
    ("L3: a balance without postings", _balance_without_postings, {"balances": ["b EUR"], "zero_sum": ["EUR"]}),
    ("L3: postings without their balances", _postings_without_balance, {"balances": ["a EUR", "b EUR"]}),
    (
        "L3: a hold that claims more than its balances",
        _hold_of_more_unbalanced,
        {"balances": ["a EUR", "b EUR"], "holds_reserve": ["a EUR", "b EUR"], "seals": ["held"]},
    ),
    ("L3: a hold that claims more than was sealed", _hold_of_more, {"seals": ["held"]}),
    (
        "L3: pending balances that no hold claims",
        _hold_of_nothing,
        {"balances": ["a EUR", "b EUR"], "holds_reserve": ["a EUR", "b EUR"]},
    ),
    ("L4: more than there is", _overdrawn, {"overdrawn": ["a EUR"]}),
    ("L7: a second transaction of a key", _second_of_its_key, {"keys": ["plain"]}),
    ("L7: a transaction without a key", _without_key, {"keys": ["nobody's"]}),
    ("L8: into a locked date", _into_a_locked_date, {"locked_periods": ["too late"]}),
]


@pytest.mark.parametrize(("what", "how", "named"), TAKEN, ids=[row[0] for row in TAKEN])
def test_what_the_owner_inserts_beside_the_door_is_named_exactly(
    what: str, how: Callable[[Owner], None], named: dict[str, list[str]], owner: Owner
) -> None:
    how(owner)
    assert _named() == named


def test_a_transaction_dated_back_behind_a_lock_is_named_sealed_or_not(owner: Owner) -> None:
    """L8: a lock seals what is there. What is sealed later came later, whenever it says that it was recorded."""
    codes(plain("waits to be sealed", "a", "b", 1), now=_EARLIER)
    day = _EARLIER.date()
    with db_transaction.atomic():
        periods.lock(ENVIRONMENT, day, "user:lou", _LATER)
    assert _named() == {}
    change = PeriodChange.objects.get(business_date=day)
    assert change.sealed_through == Block.objects.count() == 2
    _posted(owner, "dated back", 10, effective_at=_EARLIER, recorded_at=_EARLIER)
    assert _named() == {"locked_periods": ["dated back"]}
    seals.seal(ENVIRONMENT)
    fold.fold()
    assert _named() == {"locked_periods": ["dated back"]}


def test_a_whole_transaction_of_the_owner_s_breaks_nothing_by_itself(owner: Owner) -> None:
    """What is named above is named for what is wrong with it."""
    _posted(owner, "by hand", 10)
    assert _named() == {}
    fold.fold()
    assert _named() == {}


def test_no_balance_of_an_account_s_own_row_is_written_that_breaks_its_rule(owner: Owner) -> None:
    """L4 stands in the row, and nobody's account is born with a balance."""
    before = (counts(), balance("a"))
    born = (
        "INSERT INTO ledger_account (book_id, address, asset, account_class, gl_code, normal_side, balance_rule, {column})"
        " SELECT book_id, 'c', asset, account_class, gl_code, normal_side, balance_rule, 7 FROM ledger_account"
        " WHERE address = 'a'"
    )
    for attack in (
        "UPDATE ledger_account SET debits_posted = debits_posted + 5000 WHERE address = 'a'",
        "UPDATE ledger_account SET debits_pending = debits_pending + 5000 WHERE address = 'a'",
        *(born.format(column=column) for column in ("debits_posted", "credits_posted", "credits_pending")),
    ):
        with pytest.raises(psycopg.errors.CheckViolation):
            owner.execute(attack.encode())
    assert (counts(), balance("a")) == before


def test_a_key_is_taken_once_by_whomever(owner: Owner) -> None:
    before = counts()
    with pytest.raises(psycopg.errors.UniqueViolation):
        owner.execute("INSERT INTO ledger_key SELECT book_id, key, uuidv7() FROM ledger_key WHERE key = 'plain'")
    assert counts() == before
    assert codes(plain("plain", "a", "b", 10)) == ["exists"]
    assert codes(reserve("plain", "a", "b", 10)) != ["created"]
    assert _named() == {}
