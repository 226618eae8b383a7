"""Bring the session's database to what the tests stand on: migrated, with the reference rows, read as the application."""

import io

from django.core.management import call_command
from django.db import connection
from psycopg.conninfo import conninfo_to_dict

from tests.servers import TestServers


def migrate(servers: TestServers) -> None:
    """Start PostgreSQL, migrate as the owner (or take the cluster that a session kept), and go on as the application."""
    _ = servers.postgres
    _become(servers.url("holdfast_owner"))
    if not servers.is_migrated:
        call_command("migrate", verbosity=0, interactive=False)
        connection.close()
        servers.keep()
    call_command("reference_rows", stdout=io.StringIO())
    _become(servers.url("holdfast_app"))
    connection.close()


def _become(url: str) -> None:
    parts = conninfo_to_dict(url)
    connection.close()
    connection.settings_dict.update(USER=parts["user"], PASSWORD=parts["password"])
