"""What the application's database role may do with each table; used by migrations, one statement per table."""

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from psycopg import sql

READ = "SELECT"
APPEND = "SELECT, INSERT"
CHANGE = "SELECT, INSERT, UPDATE"
EVERY = "SELECT, INSERT, UPDATE, DELETE"

_VERBS = (READ, APPEND, CHANGE, EVERY)


def grants(tables: Mapping[str, str]) -> migrations.RunPython:
    """Return the operation that gives the application exactly these verbs on these tables (and their sequences)."""
    return migrations.RunPython(_granting(tables), migrations.RunPython.noop)


def function_grants(functions: list[str]) -> migrations.RunPython:
    """Return the operation that lets the application, and nobody else, call these functions."""

    def run(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        role = sql.Identifier(settings.APP_DATABASE_ROLE)
        with schema_editor.connection.cursor() as cursor:
            for function in functions:
                name = sql.Identifier(function)
                cursor.execute(sql.SQL("REVOKE ALL ON FUNCTION {} FROM PUBLIC").format(name))
                cursor.execute(sql.SQL("GRANT EXECUTE ON FUNCTION {} TO {}").format(name, role))

    return migrations.RunPython(run, migrations.RunPython.noop)


def _granting(tables: Mapping[str, str]) -> Callable[[Any, BaseDatabaseSchemaEditor], None]:
    def run(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        role = sql.Identifier(settings.APP_DATABASE_ROLE)
        with schema_editor.connection.cursor() as cursor:
            for table, verbs in tables.items():
                assert verbs in _VERBS
                name = sql.Identifier(table)
                cursor.execute(sql.SQL("REVOKE ALL ON {} FROM {}, PUBLIC").format(name, role))
                cursor.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(verbs), name, role))
                cursor.execute(
                    "SELECT pg_get_serial_sequence(%s, a.attname) FROM pg_attribute a WHERE a.attrelid = %s::regclass"
                    " AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity <> ''",
                    [f'"{table}"', f'"{table}"'],
                )
                for (sequence,) in cursor.fetchall():
                    cursor.execute(sql.SQL("GRANT USAGE ON SEQUENCE {} TO {}").format(sql.SQL(sequence), role))

    return run
