"""Add what closing, balancing and the trace of periods keep. Irreversible, as the journal is."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import READ, grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_grants")]

    operations = [
        run_sql_file(_SQL / "closing_tables.sql", reverse=migrations.RunSQL.noop),
        grants({"ledger_closure": READ, "ledger_period_change": READ}),
    ]
