"""Fee rules from before versions had a machine, carried over by the migrations in a database of its own."""

import io
from collections.abc import Iterator
from typing import Any, Final

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from tests.servers import TestServers

_NAME: Final = "carried_over"
_OLD: Final = """
INSERT INTO wallets_feerule (environment, operator_id, flow, name, version, asset, fixed_minor, basis_points,
                             vat_basis_points, active_from)
VALUES ('test', NULL, 'buy', 'platform_fee', %s, 'EUR', %s, 0, 0, %s)
"""


@pytest.fixture
def old_database(servers: TestServers, database: None, superuser_connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Let Django work as the owner in a database whose wallets' tables are those of before."""
    owner = conninfo_to_dict(servers.url("holdfast_owner"))
    superuser_connection.execute(f"CREATE DATABASE {_NAME} OWNER holdfast_owner")
    connection.close()
    saved = dict(connection.settings_dict)
    connection.settings_dict.update(NAME=_NAME, USER=owner["user"], PASSWORD=owner["password"])
    try:
        call_command("migrate", "wallets", "0022", verbosity=0)
        yield
    finally:
        connection.close()
        connection.settings_dict.update(saved)
        superuser_connection.execute(f"DROP DATABASE {_NAME} WITH (FORCE)")


def test_what_priced_is_active_what_it_replaced_is_retired_and_what_was_to_come_is_a_draft(old_database: None) -> None:
    with connection.cursor() as cursor:
        for version, minor, since in ((1, 10, "2020-01-01Z"), (2, 20, "2021-01-01Z"), (3, 30, "2999-01-01Z")):
            cursor.execute(_OLD, [version, minor, since])
        call_command("migrate", verbosity=0)
        call_command("reference_rows", stdout=io.StringIO())
        cursor.execute(
            "SELECT code, number, state, fixed_minor, phase, reference ~ '^fee_' FROM wallets_feerule ORDER BY id"
        )
        assert cursor.fetchall() == [
            ("platform_fee-buy-eur", 1, "retired", 10, "POST", True),
            ("platform_fee-buy-eur", 2, "active", 20, "POST", True),
            ("platform_fee-buy-eur", 3, "draft", 30, "POST", True),
        ]
        with pytest.raises(Exception, match="stays as it is"):
            cursor.execute("UPDATE wallets_feerule SET fixed_minor = 1 WHERE number = 2")
