"""Hold rule L1 in the database, whoever writes."""

from pathlib import Path

from django.db import migrations

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0150_no_prefix_indexes")]

    operations = [
        run_sql_file(
            _SQL / "posting_guards.sql",
            reverse="DROP TRIGGER joined ON ledger_posting; DROP FUNCTION guard_postings();"
            " ALTER TABLE ledger_posting DROP CONSTRAINT two_accounts",
        ),
    ]
