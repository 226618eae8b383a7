"""Refuse a proposal that is born decided, or approved in the transaction that makes it."""

from pathlib import Path

from django.db import migrations

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0120_open_holds")]

    operations = [
        run_sql_file(
            _SQL / "approvals_in_two_steps.sql",
            reverse=migrations.RunSQL.noop,  # the guard only asks more than before, and can be made again
        ),
    ]
