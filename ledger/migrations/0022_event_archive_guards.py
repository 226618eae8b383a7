"""Let an event leave its table only into the archive; show both as one view."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import READ, grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0021_event_archive")]

    operations = [
        run_sql_file(
            _SQL / "event_archive.sql",
            reverse="DROP VIEW ledger_event_ever; DROP TRIGGER append_only ON ledger_archivedevent;"
            " DROP TRIGGER archived_first ON ledger_event; DROP TRIGGER append_only ON ledger_event;"
            " DROP FUNCTION guard_event; CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_event"
            " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        ),
        grants({"ledger_archivedevent": READ, "ledger_event_ever": READ}),
    ]
