"""Create the functions by which a close reads its window and writes its cells."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import function_grants
from ledger.controls.sql_files import run_sql_file

_FUNCTIONS = ["close_orders", "close_quotes", "close_trades", "close_amount", "close_text", "close_time"]
_FILE = Path(__file__).resolve().parent.parent / "sql" / "windows.sql"


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0003_close_run_is_due"),
        ("ledger", "0003_grants"),
        ("orders", "0002_guards_and_grants"),
    ]

    operations = [
        run_sql_file(_FILE, reverse="".join(f"DROP FUNCTION {name};" for name in _FUNCTIONS)),
        function_grants(_FUNCTIONS),
    ]
