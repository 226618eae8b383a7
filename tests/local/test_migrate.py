"""A database that a newer version has migrated is left as it is by an older one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from config.local.places import ROOT
from config.migrate import unknown_migrations
from tests.servers import TestServers

pytestmark = pytest.mark.usefixtures("database")

_MIGRATION = ("orders", "9999_of_a_newer_version")
_MOVE = ("order", "settled", "of_a_newer_version")


@pytest.fixture
def newer(superuser_connection: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """Have the database be a newer version's, with a legal move of its own."""
    superuser_connection.execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES (%s, %s, now())", _MIGRATION
    )
    superuser_connection.execute("INSERT INTO legal_move (machine, from_state, to_state) VALUES (%s, %s, %s)", _MOVE)
    yield superuser_connection
    superuser_connection.execute("DELETE FROM django_migrations WHERE name = %s", _MIGRATION[1:])
    superuser_connection.execute("DELETE FROM legal_move WHERE to_state = %s", _MOVE[2:])


def _is_there(connection: psycopg.Connection[Any]) -> bool:
    return bool(connection.execute("SELECT 1 FROM legal_move WHERE to_state = %s", _MOVE[2:]).fetchone())


def test_database_of_a_newer_version_is_left_as_it_is(newer: psycopg.Connection[Any], servers: TestServers) -> None:
    said = subprocess.run(
        [sys.executable, "-m", "config.migrate"],
        cwd=ROOT,
        env={**os.environ, **servers.environment()},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 1
    assert "newer version, which has migrated it by orders.9999_of_a_newer_version" in said.stderr
    assert _is_there(newer)


def test_database_of_this_version_has_no_migration_that_is_unknown() -> None:
    assert unknown_migrations() == []
