"""Make the posting by itself a door of its own, and an account's guard one that leaves its balances alone."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import function_grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"

# In an old database it stands with another signature.
_DROP = "DROP FUNCTION IF EXISTS ledger_post_one(smallint, jsonb, text, text, text, numeric, timestamptz);"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0022_event_archive_guards")]

    operations = [
        migrations.RunSQL(_DROP, migrations.RunSQL.noop),
        run_sql_file(_SQL / "journal_post_one.sql", reverse=migrations.RunSQL.noop),
        run_sql_file(_SQL / "journal_post.sql", reverse=migrations.RunSQL.noop),
        run_sql_file(_SQL / "account_identity.sql", reverse=migrations.RunSQL.noop),
        function_grants(["ledger_post_one"]),
    ]
