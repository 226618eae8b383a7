"""Encrypted columns as a whole: encrypt what stood there in plain text, and renew all with the newest key."""

from collections.abc import Callable
from typing import Any, Final

from django.db import connection, migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from psycopg import sql

from ledger.controls import ciphers

_BATCH: Final = 500


def encrypt_column(table: str, column: str) -> migrations.RunPython:
    """Return the operation that encrypts a text column's rows; backwards, it decrypts them."""

    def forwards(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        rewrite(schema_editor, lambda kept: kept if ciphers.is_encrypted(kept) else ciphers.encrypt(kept.encode()))

    def backwards(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
        rewrite(schema_editor, lambda kept: ciphers.decrypt(kept).decode() if ciphers.is_encrypted(kept) else kept)

    def rewrite(schema_editor: BaseDatabaseSchemaEditor, change: Callable[[str], str]) -> None:
        names = {"table": sql.Identifier(table), "column": sql.Identifier(column)}
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT id, {column} FROM {table} WHERE {column} <> ''").format(**names))
            for row, kept in cursor.fetchall():
                cursor.execute(
                    sql.SQL("UPDATE {table} SET {column} = %s WHERE id = %s").format(**names), [change(kept), row]
                )

    return migrations.RunPython(forwards, backwards)


def renew_column(table: str, column: str, *, where: str = "true", binary: bool = False) -> int:
    """Encrypt again, with the newest key, what older keys made; return how many rows. Safe twice and at once.

    A row that somebody else changes meanwhile is left to them: whoever writes uses the newest key.
    """
    names = {"table": sql.Identifier(table), "column": sql.Identifier(column), "where": sql.SQL(where)}
    page = sql.SQL("SELECT id, {column} FROM {table} WHERE id > %s AND ({where}) ORDER BY id LIMIT %s").format(**names)
    write = sql.SQL("UPDATE {table} SET {column} = %s WHERE id = %s AND {column} = %s").format(**names)
    renewed, last = 0, 0
    with connection.cursor() as cursor:
        while rows := _rows(cursor, page, last):
            for row, kept in rows:
                text = bytes(kept).decode() if binary else kept
                if text and not ciphers.is_newest(text):
                    new = ciphers.renewed(text)
                    cursor.execute(write, [new.encode() if binary else new, row, kept])
                    renewed += cursor.rowcount
            last = rows[-1][0]
    return renewed


def _rows(cursor: Any, page: sql.Composed, last: int) -> list[tuple[int, Any]]:
    cursor.execute(page, [last, _BATCH])
    found: list[tuple[int, Any]] = cursor.fetchall()
    return found
