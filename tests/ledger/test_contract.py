"""PostgreSQL behind the write door keeps its contract."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import pytest
from django.db import connection
from django.db import transaction as db_transaction

from ledger import accounts, verify
from ledger.accounts import Opening
from tests.ledger import door
from tests.ledger.contract import Balances, LedgerContract
from tests.ledger.door import FREE, NEVER_CREDITED_BEYOND, NEVER_OVERDRAWN, Item, Result
from tests.threads import raise_first, run_threads

pytestmark = pytest.mark.usefixtures("database")

_KINDS = {"": FREE, "debits": NEVER_OVERDRAWN, "credits": NEVER_CREDITED_BEYOND}


class Postgres:
    """The write door with PostgreSQL behind it."""

    def open(self, address: str, rule: str) -> None:
        accounts.open_accounts(environment=door.ENVIRONMENT, openings=[Opening(address, "EUR", _KINDS[rule])])

    def post(self, items: Sequence[Item], now: datetime) -> list[Result]:
        return door.results(*items, now=now)

    def post_and_roll_back(self, items: Sequence[Item], now: datetime) -> list[Result]:
        with db_transaction.atomic():
            answers = door.results(*items, now=now)
            db_transaction.set_rollback(True)
        return answers

    def sweep(self, now: datetime) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT ledger_expire(%s::smallint, 100, %s)", [door.test_book(), now])

    def balances(self, address: str) -> Balances:
        return door.balance(address)

    def at_once(self, *work: Callable[[], list[Result]]) -> list[list[Result]]:
        return raise_first(run_threads(*work))


class TestPostgres(LedgerContract):
    @pytest.fixture
    def engine(self, database: None) -> Postgres:
        return Postgres()

    @pytest.fixture(autouse=True)
    def _sound_afterwards(self, engine: Postgres) -> Iterator[None]:
        yield
        assert [(verdict.check.name, verdict.findings) for verdict in verify.verify() if verdict.breaks] == []
