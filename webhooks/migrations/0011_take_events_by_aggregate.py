"""The relay reads an aggregate's rows by the aggregate's index, whatever statistics say, and a batch is one call."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import function_grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0010_rotation_notices_and_resends")]

    operations = [
        # Backwards webhooks_take_events stays: the older form says the same, slower.
        run_sql_file(_SQL / "take_events.sql", reverse="DROP FUNCTION webhooks_relay"),
        function_grants(["webhooks_relay"]),
    ]
