"""Refuse a chart, mapping or template that becomes active without two people."""

from pathlib import Path

from django.db import migrations

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0330_a_lock_seals")]

    operations = [
        run_sql_file(
            _SQL / "activated_by_two.sql",
            reverse=migrations.RunSQL.noop,  # the guard only asks more than before, and can be made again
        ),
    ]
