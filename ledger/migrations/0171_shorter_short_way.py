"""Write a posting by itself with fewer expressions."""

from pathlib import Path

from django.db import migrations

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0170_sets_with_one_plan")]

    operations = [run_sql_file(_SQL / "journal_post_one.sql", reverse=migrations.RunSQL.noop)]
