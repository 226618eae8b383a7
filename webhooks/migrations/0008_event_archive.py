"""Let the application move old events of locked days into the archive."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import function_grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0007_inbox_guards"), ("ledger", "0022_event_archive_guards")]

    operations = [
        run_sql_file(_SQL / "archive.sql", reverse="DROP FUNCTION webhooks_archive_events"),
        function_grants(["webhooks_archive_events"]),
    ]
