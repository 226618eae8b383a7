"""Let a remote operation's unknown end only by a stored answer (rule R3), even from raw SQL."""

from pathlib import Path

from django.db import migrations

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("wallets", "0003_remoteoperation_ask_again_granted")]

    operations = [
        run_sql_file(
            _SQL / "evidence.sql",
            reverse="DROP TRIGGER evidence ON wallets_remoteoperation; DROP FUNCTION require_evidence()",
        ),
    ]
