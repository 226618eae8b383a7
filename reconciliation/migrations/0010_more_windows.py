"""Create the functions by which a close reads the returns, intents and payouts of its window."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import function_grants
from ledger.controls.sql_files import run_sql_file

_FUNCTIONS = ["close_returns", "close_intents", "close_payouts"]
_FILE = Path(__file__).resolve().parent.parent / "sql" / "windows_of_returns_and_intents.sql"


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0006_notices_of_endpoints"),
        ("orders", "0017_intents_and_payouts"),
        ("wallets", "0022_wallets"),
    ]

    operations = [
        run_sql_file(
            _FILE,
            reverse="".join(f"DROP FUNCTION {name};" for name in _FUNCTIONS) + "DROP INDEX api_request_conflicts;",
        ),
        function_grants(_FUNCTIONS),
    ]
