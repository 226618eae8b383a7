"""Rules L1, L2, L4, L6 attacked by raw SQL: as the application, and where only a trigger stands, as the owner."""

import itertools
from typing import Any

import psycopg
import pytest
from psycopg import sql

from ledger import accounts
from ledger.accounts import Opening
from tests.ledger.door import (
    CALL,
    Item,
    Move,
    arguments,
    balance,
    codes,
    counts,
    open_book,
    plain,
    release,
    reserve,
    settle,
)
from tests.ledger.door import test_book as number_of_test_book

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
JOURNAL = ("ledger_transaction", "ledger_posting", "ledger_key", "ledger_move", "ledger_event")
DERIVED = ("ledger_account", "ledger_hold", "ledger_delta", "ledger_period", "ledger_closure", "legal_move")


@pytest.fixture
def _rows(superuser_connection: psycopg.Connection[Any]) -> None:
    """Have a row in each of these tables."""
    open_book("a", "b")
    codes(plain("1", W, "a", 100), reserve("2", "a", "b", 10), reserve("3", "a", "b", 5), release("4", "2"))
    open_book("shut")
    codes(reserve("5", "shut", W, 0, flags=["closing_debit"]))
    superuser_connection.execute(
        "INSERT INTO ledger_move (environment, machine, subject, sequence, from_state, to_state, actor, cause, request_id,"
        " event_reference, moved_at) VALUES ('test', 'order', 'ord_1', 1, '', 'queued', 'x', 'x', '', '', now())"
    )
    superuser_connection.execute(
        "INSERT INTO ledger_event (reference, environment, topic, aggregate, sequence, payload, public, request_id,"
        " recorded_at) VALUES ('evt_1', 'test', 'order.queued', 'ord_1', 1, '{}', true, '', now())"
    )
    superuser_connection.execute("INSERT INTO ledger_period VALUES (%s, '2020-01-01')", [number_of_test_book()])


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("table", [*JOURNAL, *DERIVED])
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
def test_application_may_not_change_rows(
    application_connection: psycopg.Connection[Any], table: str, verb: str
) -> None:
    assert _count(application_connection, table) > 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application_connection.execute(_statement(application_connection, verb, table))
    assert _count(application_connection, table) > 0


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize(
    "table",
    [
        "ledger_transaction",
        "ledger_posting",
        "ledger_key",
        "ledger_account",
        "ledger_hold",
        "ledger_delta",
        "ledger_closure",
        "ledger_unsealed",
    ],
)
def test_application_may_not_insert_past_the_function(
    application_connection: psycopg.Connection[Any], table: str
) -> None:
    before = counts()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application_connection.execute(
            sql.SQL("INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM {0} LIMIT 1").format(sql.Identifier(table))
        )
    assert counts() == before


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize("table", JOURNAL)
@pytest.mark.parametrize("verb", ["UPDATE", "DELETE", "TRUNCATE"])
def test_trigger_refuses_even_the_owner(owner_connection: psycopg.Connection[Any], table: str, verb: str) -> None:
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner_connection.execute(_statement(owner_connection, verb, table))
    assert _count(owner_connection, table) > 0


@pytest.mark.usefixtures("_rows")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_account SET balance_rule = 'none' WHERE address = 'a'",
        "UPDATE ledger_account SET asset = 'USD' WHERE address = 'a'",
        "UPDATE ledger_account SET address = 'c' WHERE address = 'a'",
        "UPDATE ledger_account SET gl_code = '1', normal_side = 'debit' WHERE address = 'a'",
        "DELETE FROM ledger_account WHERE address = 'a'",
        "TRUNCATE ledger_account",
        "UPDATE ledger_account SET debits_posted = 1000 WHERE address = 'a'",
        "UPDATE ledger_account SET debits_pending = 101 WHERE address = 'a'",
        "UPDATE ledger_hold SET state = 'open', ended_by = NULL, ended_at = NULL WHERE state = 'voided'",
        "UPDATE ledger_hold SET state = 'posted' WHERE state = 'voided'",
        "UPDATE ledger_hold SET state = 'posted' WHERE state = 'open'",
        "UPDATE ledger_hold SET state = 'gone', ended_by = uuidv7(), ended_at = now() WHERE state = 'open'",
        "INSERT INTO ledger_hold SELECT transaction_id, book_id, 'open' FROM ledger_hold LIMIT 1",
        "DELETE FROM ledger_hold",
        "TRUNCATE ledger_hold",
        "DELETE FROM ledger_period",
        "TRUNCATE ledger_closure",
        "UPDATE ledger_transaction SET flags = NULL",
        "UPDATE ledger_unsealed SET book_id = 0",
        "TRUNCATE ledger_unsealed",
        "INSERT INTO ledger_transaction SELECT uuidv7(), book_id, 'x', event_type, phase, subject, refs, metadata,"
        " request_id, effective_at, value_date, recorded_at, timeout_seconds, hold_id, '{imported}', NULL"
        " FROM ledger_transaction LIMIT 1",
        "INSERT INTO ledger_posting SELECT uuidv7(), transaction_id, 9, book_id, 'posted', NULL, debit_account_id,"
        " credit_account_id, asset, -1 FROM ledger_posting LIMIT 1",
        "INSERT INTO ledger_posting SELECT uuidv7(), transaction_id, 9, book_id, 'posted', NULL, debit_account_id,"
        " credit_account_id, asset, 340282366920938463463374607431768211456 FROM ledger_posting LIMIT 1",
        "INSERT INTO ledger_posting SELECT uuidv7(), transaction_id, 9, book_id, 'other', NULL, debit_account_id,"
        " credit_account_id, asset, 1 FROM ledger_posting LIMIT 1",
        "INSERT INTO ledger_posting SELECT uuidv7(), transaction_id, 9, book_id, 'void', pending_id, debit_account_id,"
        " credit_account_id, asset, 1 FROM ledger_posting WHERE pending_id IS NOT NULL LIMIT 1",
        "INSERT INTO ledger_key SELECT book_id, key, uuidv7() FROM ledger_key LIMIT 1",
        "INSERT INTO ledger_transaction SELECT * FROM ledger_transaction LIMIT 1",
    ],
)
def test_guard_refuses_even_the_owner(owner_connection: psycopg.Connection[Any], statement: str) -> None:
    before = (counts(), balance("a"), balance("b"))
    with pytest.raises((psycopg.errors.IntegrityError, psycopg.errors.FeatureNotSupported)):
        owner_connection.execute(statement.encode())
    assert (counts(), balance("a"), balance("b")) == before


_ACCOUNT = (
    "(SELECT a.id FROM ledger_account a JOIN ledger_book b ON b.id = a.book_id"
    " WHERE b.environment = '{}' AND a.address = '{}' AND a.asset = '{}')"
)
_A, _B, _DOLLARS = (
    _ACCOUNT.format("test", address, asset) for address, asset in (("a", "EUR"), ("b", "EUR"), ("a", "USD"))
)
_ELSEWHERE, _ELSEWHERE_B = (_ACCOUNT.format("live", address, "EUR") for address in ("a", "b"))
_TEST, _LIVE = (f"(SELECT id FROM ledger_book WHERE environment = '{environment}')" for environment in ("test", "live"))
_RIGHT = {"book": _TEST, "debit": _A, "credit": _B, "asset": "'EUR'", "amount": "1", "kind": "'posted'", "of": "t.id"}

JOINS_NOTHING = [
    #    what it is                                     how
    ("to the account it comes from", {"credit": _A}),
    ("to another book", {"credit": _ELSEWHERE}),
    ("from another book", {"debit": _ELSEWHERE}),
    ("between accounts of another book", {"debit": _ELSEWHERE, "credit": _ELSEWHERE_B}),
    ("said to be of another book", {"book": _LIVE}),
    ("in another book, under a transaction of this", {"book": _LIVE, "debit": _ELSEWHERE, "credit": _ELSEWHERE_B}),
    ("of an asset of neither account", {"asset": "'USD'"}),
    ("from an account of another asset", {"debit": _DOLLARS}),
    ("to an account of another asset", {"credit": _DOLLARS}),
    ("of an asset of one account", {"asset": "'USD'", "credit": _DOLLARS}),
    ("from no account", {"debit": "0"}),
    ("to no account", {"credit": "0"}),
    ("of no transaction", {"of": "uuidv7()"}),
    ("of nothing", {"amount": "0"}),
    ("of nothing, pending", {"amount": "0", "kind": "'pending'"}),
    ("of less than nothing", {"amount": "-1"}),
]


@pytest.fixture
def _two_books(database: None) -> None:
    """Accounts a and b in both books, in euro and dollars; one transaction of the test book."""
    for environment, asset in itertools.product(("test", "live"), ("EUR", "USD")):
        openings = [Opening(address, asset, accounts.BANK) for address in ("a", "b")]
        accounts.open_accounts(environment=environment, openings=openings)
    assert codes(Item("1", [Move("a", "b", 5)])) == ["created"]


@pytest.mark.usefixtures("_two_books")
@pytest.mark.parametrize("case,wrong", JOINS_NOTHING, ids=[row[0] for row in JOINS_NOTHING])
def test_posting_is_refused_even_to_the_owner_when_it_does_not_join_two_accounts(
    owner_connection: psycopg.Connection[Any],
    application_connection: psycopg.Connection[Any],
    case: str,
    wrong: dict[str, str],
) -> None:
    before = (counts(), balance("a"), balance("b"))
    attacks = [_inserted(wrong), f"{_inserted({})} UNION ALL {_values(wrong)}"]
    for attack in attacks:
        with pytest.raises(psycopg.errors.CheckViolation):
            owner_connection.execute(attack.encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application_connection.execute(attack.encode())
    assert (counts(), balance("a"), balance("b")) == before
    owner_connection.execute(_inserted({}).encode())  # it is what is wrong with them that is refused
    assert counts()["ledger_posting"] == before[0]["ledger_posting"] + 1


@pytest.mark.usefixtures("_two_books")
def test_posting_is_measured_by_the_ledgers_own_accounts(owner_connection: psycopg.Connection[Any]) -> None:
    owner_connection.execute("CREATE TEMP TABLE ledger_account AS SELECT * FROM public.ledger_account WHERE false")
    attack = _inserted({"debit": "0"})
    with pytest.raises(psycopg.errors.CheckViolation):
        owner_connection.execute(attack.replace("FROM ledger_account", "FROM public.ledger_account").encode())


def _inserted(wrong: dict[str, str]) -> str:
    return (
        "INSERT INTO ledger_posting (id, transaction_id, position, book_id, kind, debit_account_id, credit_account_id,"
        f" asset, amount_minor) {_values(wrong)}"
    )


def _values(wrong: dict[str, str]) -> str:
    return (
        "SELECT uuidv7(), {of}, 9, {book}, {kind}, {debit}, {credit}, {asset}, {amount}"
        " FROM ledger_transaction t WHERE t.key = '1'"
    ).format_map({**_RIGHT, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "merchants::available"},
        {"address": ""},
        {"address": "a b"},
        {"address": "ä"},
        {"address": "a" * 256},
        {"address": "@@world"},
        {"asset": "XYZ"},
        {"asset": None},
        {"class": "money"},
        {"side": "left"},
        {"rule": "sometimes"},
    ],
)
def test_account_is_refused_when_it_is_none(
    application_connection: psycopg.Connection[Any], wrong: dict[str, Any]
) -> None:
    row = {"address": "good", "asset": "EUR", "class": "asset", "side": "debit", "rule": "none", **wrong}
    with pytest.raises(psycopg.errors.IntegrityError):
        application_connection.execute(
            "SELECT ledger_open_accounts(%(book)s::smallint, ARRAY[%(address)s], ARRAY[%(asset)s::text],"
            " ARRAY[%(class)s], ARRAY['1'], ARRAY[%(side)s], ARRAY[''], ARRAY[%(rule)s])",
            {**row, "book": number_of_test_book()},
        )
    assert counts()["ledger_key"] == 0


@pytest.mark.parametrize("book", [0, 99, -1, None])
def test_call_is_refused_when_there_is_no_such_book(
    application_connection: psycopg.Connection[Any], book: int | None
) -> None:
    open_book("a")
    call = arguments([plain("k", W, "a", 1)], book=0, now=None)
    with pytest.raises(psycopg.errors.RaiseException, match="there is no book"):
        application_connection.execute(CALL, [book, *call[1:]])


def test_accounts_of_another_book_are_unknown(application_connection: psycopg.Connection[Any]) -> None:
    open_book("a")
    row = application_connection.execute("SELECT id FROM ledger_book WHERE environment = 'live'").fetchone()
    assert row is not None
    codes(plain("1", W, "a", 10), reserve("2", "a", W, 5))
    for item in (plain("k", W, "a", 1), settle("s", "2", Move("a", W, 5)), release("r", "2")):
        answer = application_connection.execute(CALL, arguments([item], book=row[0], now=None)).fetchone()
        assert answer is not None
        assert answer[0] in ("debit_account_not_found", "pending_transfer_not_found")
    assert balance("a") == (0, 10, 5, 0)


@pytest.mark.parametrize(
    "numbers,debits",
    [([2], ["@world"]), ([0], ["@world"]), ([None], ["@world"]), ([1, 1], ["@world"]), ([1], ["@world", "@world"])],
)
def test_call_is_refused_when_its_arrays_do_not_fit(
    application_connection: psycopg.Connection[Any], numbers: list[int | None], debits: list[str]
) -> None:
    open_book("a")
    book, items, _, _, credits, assets, amounts, now = arguments(
        [plain("k", W, "a", 1)], book=number_of_test_book(), now=None
    )
    with pytest.raises(psycopg.errors.RaiseException):
        application_connection.execute(CALL, [book, items, numbers, debits, credits, assets, amounts, now])
    assert counts()["ledger_key"] == 0


def test_interleaved_postings_are_refused(application_connection: psycopg.Connection[Any]) -> None:
    open_book("a")
    call = arguments(
        [plain("1", W, "a", 1), plain("2", W, "a", 1), plain("3", W, "a", 1)], book=number_of_test_book(), now=None
    )
    call[2] = [1, 2, 1]
    with pytest.raises(psycopg.errors.RaiseException, match="not together"):
        application_connection.execute(CALL, call)


def _statement(connection: psycopg.Connection[Any], verb: str, table: str) -> sql.Composed:
    match verb:
        case "UPDATE":
            row = connection.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND attidentity = ''"
                " ORDER BY attnum LIMIT 1",
                [table],
            ).fetchone()
            assert row is not None
            return sql.SQL("UPDATE {} SET {} = {}").format(
                sql.Identifier(table), sql.Identifier(row[0]), sql.Identifier(row[0])
            )
        case "DELETE":
            return sql.SQL("DELETE FROM {}").format(sql.Identifier(table))
        case _:
            return sql.SQL("TRUNCATE {}").format(sql.Identifier(table))


def _count(connection: psycopg.Connection[Any], table: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))).fetchone()
    assert row is not None
    return int(row[0])
