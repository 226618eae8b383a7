"""Rules L1, L2, L4, L6 attacked by raw SQL: as the application, and where only a trigger stands, as the owner."""

from typing import Any

import psycopg
import pytest
from psycopg import sql

from tests.ledger.door import CALL, Move, arguments, balance, codes, counts, open_book, plain, release, reserve, settle
from tests.ledger.door import test_book as number_of_test_book

pytestmark = pytest.mark.usefixtures("database")

W = "@world"
JOURNAL = ("ledger_transaction", "ledger_posting", "ledger_key", "ledger_move", "ledger_event")
DERIVED = ("ledger_account", "ledger_hold", "ledger_delta", "ledger_period", "legal_move")


@pytest.fixture
def _rows(superuser_connection: psycopg.Connection[Any]) -> None:
    """Have a row in each of these tables."""
    open_book("a", "b")
    codes(plain("1", W, "a", 100), reserve("2", "a", "b", 10), reserve("3", "a", "b", 5), release("4", "2"))
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
    "table", ["ledger_transaction", "ledger_posting", "ledger_key", "ledger_account", "ledger_hold", "ledger_delta"]
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
        "DELETE FROM ledger_hold",
        "TRUNCATE ledger_hold",
        "DELETE FROM ledger_period",
        "INSERT INTO ledger_posting SELECT uuidv7(), transaction_id, 9, book_id, 'posted', NULL, debit_account_id,"
        " credit_account_id, asset, -1 FROM ledger_posting LIMIT 1",
        "INSERT INTO ledger_posting SELECT uuidv7(), transaction_id, 9, book_id, 'posted', NULL, debit_account_id,"
        " credit_account_id, asset, 340282366920938463463374607431768211456 FROM ledger_posting LIMIT 1",
        "INSERT INTO ledger_posting SELECT uuidv7(), transaction_id, 9, book_id, 'other', NULL, debit_account_id,"
        " credit_account_id, asset, 1 FROM ledger_posting LIMIT 1",
        "INSERT INTO ledger_posting SELECT uuidv7(), transaction_id, 9, book_id, 'void', pending_id, debit_account_id,"
        " credit_account_id, asset, 1 FROM ledger_posting WHERE pending_id IS NOT NULL LIMIT 1",
        "INSERT INTO ledger_key SELECT book_id, key, uuidv7() FROM ledger_key LIMIT 1",
    ],
)
def test_guard_refuses_even_the_owner(owner_connection: psycopg.Connection[Any], statement: str) -> None:
    before = (counts(), balance("a"), balance("b"))
    with pytest.raises((psycopg.errors.IntegrityError, psycopg.errors.FeatureNotSupported)):
        owner_connection.execute(statement.encode())
    assert (counts(), balance("a"), balance("b")) == before


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
