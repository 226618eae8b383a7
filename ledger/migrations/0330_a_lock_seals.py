"""A lock seals what waits, and says up to which block its date is sealed."""

from pathlib import Path

from django.db import migrations, models

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0300_pairs_by_themselves")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE ledger_period_change ADD COLUMN IF NOT EXISTS sealed_through bigint", migrations.RunSQL.noop
        ),
        migrations.AddField(
            model_name="periodchange",
            name="sealed_through",
            field=models.BigIntegerField(help_text="the newest block when it was locked", null=True),
        ),
        run_sql_file(_SQL / "lock_period_and_seal.sql", reverse=migrations.RunSQL.noop),
    ]
