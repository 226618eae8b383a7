"""Create the seals' tables and the sealer; what was posted before is sealed first. Irreversible, as the journal is."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import READ, function_grants, grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_closing")]

    operations = [
        run_sql_file(_SQL / "seal_tables.sql", reverse=migrations.RunSQL.noop),
        run_sql_file(_SQL / "seals.sql", reverse=migrations.RunSQL.noop),
        grants(
            {
                "ledger_unsealed": READ,
                "ledger_block": READ,
                "ledger_block_member": READ,
            }
        ),
        function_grants(["ledger_seal"]),
    ]
