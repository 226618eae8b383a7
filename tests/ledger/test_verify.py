"""`verify_ledger` is silent on a sound book and names whatever was changed behind the ledger's back."""

import io
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.core.management import call_command

from ledger import fold, verify
from tests.ledger.door import Item, Move, codes, open_book, plain, release, reserve, settle

pytestmark = pytest.mark.usefixtures("database")

W = "@world"


@pytest.fixture
def broken(superuser_connection: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A sound book, and a connection that no trigger, key or check stops."""
    open_book("a", "b", "c")
    now = datetime(2025, 3, 12, 9, tzinfo=UTC)
    codes(plain("funding", W, "a", 1000), now=now)
    codes(plain("plain", "a", "b", 10), now=now)
    codes(Item("open", [Move("a", "b", 60), Move("a", "c", 40)], "reserve"), reserve("hold2", "a", "c", 7), now=now)
    codes(reserve("hold3", "a", "c", 8), reserve("hold4", "a", "b", 9, timeout=5), now=now)
    codes(settle("settled", "hold2", Move("a", "c", 5)), release("released", "hold3"), now=now)
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("ALTER TABLE ledger_account DROP CONSTRAINT IF EXISTS never_overdrawn")
    superuser_connection.execute("ALTER TABLE ledger_posting DROP CONSTRAINT IF EXISTS two_accounts")
    return superuser_connection


def _breaks(environment: str | None = None) -> dict[str, list[str]]:
    return {v.check.name: [f.subject for f in v.findings] for v in verify.verify(environment=environment) if v.breaks}


def _put_back(connection: psycopg.Connection[Any]) -> None:
    connection.execute(
        "TRUNCATE ledger_account, ledger_posting, ledger_transaction, ledger_hold, ledger_key, ledger_delta"
    )
    connection.execute(
        "ALTER TABLE ledger_account ADD CONSTRAINT never_overdrawn CHECK (CASE balance_rule WHEN 'none' THEN true"
        " WHEN 'debits_must_not_exceed_credits' THEN debits_posted + debits_pending <= credits_posted"
        " ELSE credits_posted + credits_pending <= debits_posted END)"
    )
    connection.execute(
        "ALTER TABLE ledger_posting ADD CONSTRAINT two_accounts CHECK (debit_account_id <> credit_account_id)"
    )


_TX = "(SELECT id FROM ledger_transaction WHERE key = '{}')"
_ACCOUNT = "(SELECT id FROM ledger_account WHERE address = '{}')"

DAMAGE = [
    #    what was done                           how                                                         named by
    (
        "a changed amount",
        f"UPDATE ledger_posting SET amount_minor = 11 WHERE transaction_id = {_TX.format('plain')}",
        {"balances": ["a EUR", "b EUR"]},
    ),
    (
        "a deleted posting",
        f"DELETE FROM ledger_posting WHERE transaction_id = {_TX.format('plain')}",
        {"balances": ["a EUR", "b EUR"], "keys": ["plain"]},
    ),
    (
        "a deleted transaction",
        "DELETE FROM ledger_transaction WHERE key = 'plain'",
        {"postings": ["led_"]},
    ),
    (
        "a changed balance",
        "UPDATE ledger_account SET credits_posted = credits_posted + 1 WHERE address = 'b'",
        {"balances": ["b EUR"], "zero_sum": ["EUR"]},
    ),
    (
        "a lost delta",
        "DELETE FROM ledger_delta WHERE ctid = (SELECT min(ctid) FROM ledger_delta)",
        {"balances": ["@world EUR"], "zero_sum": ["EUR"]},
    ),
    (
        "an overdrawn account",
        "UPDATE ledger_account SET debits_posted = 2000 WHERE address = 'a'",
        {"balances": ["a EUR"], "zero_sum": ["EUR"], "overdrawn": ["a EUR"]},
    ),
    (
        "a hold opened again",
        f"UPDATE ledger_hold SET state = 'open', ended_by = NULL, ended_at = NULL WHERE transaction_id = {_TX.format('hold3')}",
        {"holds_reserve": ["a EUR", "c EUR"], "holds_end_once": ["hold3"]},
    ),
    (
        "a hold ended without postings",
        f"UPDATE ledger_hold SET state = 'voided', ended_by = {_TX.format('released')}, ended_at = now()"
        f" WHERE transaction_id = {_TX.format('open')}",
        {"holds_reserve": ["a EUR", "b EUR", "c EUR"], "holds_end_once": ["open"]},
    ),
    (
        "a hold that says posted but was voided",
        f"UPDATE ledger_hold SET state = 'posted' WHERE transaction_id = {_TX.format('hold3')}",
        {"holds_end_once": ["hold3"]},
    ),
    (
        "a lost hold",
        f"DELETE FROM ledger_hold WHERE transaction_id = {_TX.format('open')}",
        {"holds_reserve": ["a EUR", "b EUR", "c EUR"], "holds_end_once": ["open"]},
    ),
    (
        "a posting across books",
        "UPDATE ledger_posting SET book_id = (SELECT id FROM ledger_book WHERE environment = 'live')"
        f" WHERE transaction_id = {_TX.format('plain')}",
        {"postings": ["led_"]},
    ),
    (
        "an account of another asset",
        f"UPDATE ledger_posting SET asset = 'USD' WHERE transaction_id = {_TX.format('plain')}",
        {"postings": ["led_"]},
    ),
    (
        "a posting to itself",
        f"UPDATE ledger_posting SET credit_account_id = debit_account_id WHERE transaction_id = {_TX.format('plain')}",
        {"balances": ["a EUR", "b EUR"], "postings": ["led_"]},
    ),
    (
        "an account that is gone",
        "DELETE FROM ledger_account WHERE address = 'b'",
        {"zero_sum": ["EUR"], "postings": ["led_", "led_", "led_"]},
    ),
    (
        "a post beyond its pending",
        f"UPDATE ledger_posting SET amount_minor = 8 WHERE transaction_id = {_TX.format('settled')}",
        {"balances": ["a EUR", "c EUR"], "postings": ["led_"]},
    ),
    ("a lost key", "DELETE FROM ledger_key WHERE key = 'plain'", {"keys": ["plain"]}),
    (
        "a key of another",
        f"UPDATE ledger_key SET transaction_id = {_TX.format('open')} WHERE key = 'plain'",
        {"keys": ["plain"]},
    ),
    (
        "something that has ended with money in transit",
        "WITH ended AS (INSERT INTO ledger_move (environment, machine, subject, sequence, from_state, to_state, actor, cause,"
        " request_id, event_reference, moved_at) VALUES ('test', 'order', 'ord_1', 1, '', 'processed', '', '', '', '', now()))"
        " UPDATE ledger_account SET workflow_view = 'in_flight' WHERE address = 'b'",
        {"transit": ["ord_1"]},
    ),
    (
        "a posting into a locked period",
        "INSERT INTO ledger_period SELECT id, '2025-03-12', '2025-03-12 08:00Z', 'x' FROM ledger_book",
        {"locked_periods": ["funding", "hold2", "hold3", "hold4", "open", "plain", "released", "settled"]},
    ),
]


def test_sound_book_has_no_breaks(broken: psycopg.Connection[Any]) -> None:
    try:
        assert _breaks() == {}
        fold.fold()
        assert _breaks() == {}
        assert _command() == 0
    finally:
        _put_back(broken)


@pytest.mark.parametrize("name,how,named", DAMAGE, ids=[row[0] for row in DAMAGE])
def test_damage_is_named(broken: psycopg.Connection[Any], name: str, how: str, named: dict[str, list[str]]) -> None:
    try:
        assert broken.execute(how.encode()).rowcount > 0
        found = _breaks()
        assert {
            check: [subject[:4] if subject.startswith("led_") else subject for subject in subjects]
            for check, subjects in found.items()
        } == named
        output = io.StringIO()
        assert _command(output=output) == 1
        assert "BROKEN" in output.getvalue()
        for subjects in found.values():
            assert all(subject in output.getvalue() for subject in subjects)
    finally:
        _put_back(broken)


def test_one_book_is_verified_by_itself(broken: psycopg.Connection[Any]) -> None:
    try:
        broken.execute("UPDATE ledger_account SET credits_posted = 1 WHERE address = 'b'")
        assert _breaks("live") == {}
        assert _breaks("test") == _breaks() != {}
        assert (_command("--environment", "live"), _command("--environment", "test")) == (0, 1)
    finally:
        _put_back(broken)


def test_report_says_how_many_there_are_beyond_those_it_shows(broken: psycopg.Connection[Any]) -> None:
    try:
        open_book(*(f"many:{n}" for n in range(30)))
        broken.execute("UPDATE ledger_account SET credits_posted = 1 WHERE address LIKE 'many:%'")
        output = io.StringIO()
        assert _command(output=output) == 1
        assert "BROKEN 30 times" in output.getvalue()
        assert "… and 10 more" in output.getvalue()
    finally:
        _put_back(broken)


def _command(*arguments: str, output: io.StringIO | None = None) -> int:
    try:
        call_command("verify_ledger", *arguments, stdout=output or io.StringIO())
    except SystemExit as end:
        return int(end.code or 0)
    return 0
