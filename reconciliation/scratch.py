"""Loads a close's files into an empty database, where finance asks them what it likes.

Every file becomes a table named for it, every cell text. Two views carry the seed's names: `pool_trades` and
`ledger_entries`, so that its sample exception query runs word for word.
"""

import csv
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

_VIEWS: Final = (
    "CREATE VIEW pool_trades AS SELECT transact_id, quote_id, current_status AS status FROM trades",
    "CREATE VIEW ledger_entries AS SELECT ledger_id AS ledger_entry_id, trade_id AS transact_id FROM ledger"
    " WHERE trade_id <> ''",
)
_BLOCK: Final = 1 << 18


def load(*, connection: psycopg.Connection, folder: Path) -> dict[str, int]:
    """Load every CSV file of a folder, in one transaction; return the rows of each table."""
    rows: dict[str, int] = {}
    with connection.transaction(), connection.cursor() as cursor:
        for path in sorted(folder.glob("*.csv")):
            table = sql.Identifier(path.stem)
            columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in _header(path))
            cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(table, columns))
            copy = sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER, NULL '\\N')").format(table)
            with path.open("rb") as file, cursor.copy(copy) as into:
                while block := file.read(_BLOCK):
                    into.write(block)
            rows[path.stem] = cursor.rowcount
        for view in _VIEWS:
            cursor.execute(view)
    return rows


def _header(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file))
