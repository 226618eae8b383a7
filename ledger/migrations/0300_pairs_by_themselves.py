"""Write a reserve with the settle of all of it in statements of their own."""

from pathlib import Path

from django.db import migrations

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0171_shorter_short_way")]

    operations = [
        run_sql_file(_SQL / "journal_post_pair.sql", reverse=migrations.RunSQL.noop),
        run_sql_file(_SQL / "journal_post_in_sets.sql", reverse=migrations.RunSQL.noop),
    ]
