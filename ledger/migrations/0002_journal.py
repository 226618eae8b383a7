"""Create the journal's tables and the functions that write them. Irreversible: dropping a journal is no migration."""

from pathlib import Path

from django.db import migrations

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        run_sql_file(_SQL / name, reverse=migrations.RunSQL.noop)
        for name in (
            "journal_tables.sql",
            "accounts.sql",
            "journal_repeat.sql",
            "journal_post_one.sql",
            "journal_post_list.sql",
            "journal_post.sql",
            "journal_fold.sql",
            "append_only.sql",
            "moves.sql",
            "claims.sql",
        )
    ]
