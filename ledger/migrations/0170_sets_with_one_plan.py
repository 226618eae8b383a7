"""Write a list in sets by plans that do not depend on its length."""

from pathlib import Path

from django.db import migrations

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0160_postings_joined")]

    operations = [
        run_sql_file(_SQL / "journal_post_in_sets.sql", reverse=migrations.RunSQL.noop),
        run_sql_file(_SQL / "journal_post.sql", reverse=migrations.RunSQL.noop),
    ]
