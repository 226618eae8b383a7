"""Keep statements as they came in, guard their moves, give the application its rights."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import CHANGE, function_grants, grants
from ledger.controls.sql_files import guard_moves, run_sql_file

_FILE = Path(__file__).resolve().parent.parent / "sql" / "statements.sql"
_REVERSE = """
DROP FUNCTION close_statement_lines;
DROP TRIGGER kept ON reconciliation_statementmatch;
DROP TRIGGER kept ON reconciliation_statementfile;
DROP TRIGGER stays ON reconciliation_statementfile;
DROP TRIGGER kept ON reconciliation_statementline;
DROP TRIGGER stays ON reconciliation_statementline;
DROP FUNCTION guard_statement_file;
DROP FUNCTION guard_statement_line;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0020_statements"),
        ("ledger", "0003_grants"),
    ]

    operations = [
        run_sql_file(_FILE, reverse=_REVERSE),
        guard_moves("reconciliation_statementfile", "statement_file"),
        guard_moves("reconciliation_statementmatch", "statement_match"),
        function_grants(["close_statement_lines"]),
        grants(
            {
                "reconciliation_statementsource": CHANGE,
                "reconciliation_statementfile": CHANGE,
                "reconciliation_statementline": CHANGE,
                "reconciliation_statementmatch": CHANGE,
            }
        ),
    ]
