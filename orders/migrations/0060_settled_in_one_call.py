"""Instant transfers are written in one call, with their wallets' history; every line of history goes through one function."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import function_grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("orders", "0055_return_after_a_dismissed_one")]

    operations = [
        run_sql_file(_SQL / "record_history.sql", reverse="DROP FUNCTION orders_record_history"),
        run_sql_file(_SQL / "write_settled.sql", reverse="DROP FUNCTION orders_write_settled"),
        function_grants(["orders_record_history", "orders_write_settled"]),
        migrations.RunSQL("DROP FUNCTION orders_walk_intents", (_SQL / "walk_intents.sql").read_text(encoding="utf-8")),
    ]
