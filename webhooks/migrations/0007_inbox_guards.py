"""Store inbound events by one function; guard their moves and their bodies; give the application its rights."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import APPEND, CHANGE, function_grants, grants
from ledger.controls.sql_files import append_only, guard_moves, run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0006_inbox"), ("ledger", "0003_grants")]

    operations = [
        run_sql_file(
            _SQL / "inbox.sql",
            reverse="DROP TRIGGER as_it_arrived ON webhooks_inboundevent; DROP TRIGGER kept ON webhooks_inboundevent;"
            " DROP FUNCTION guard_inbound_event; DROP FUNCTION webhooks_receive",
        ),
        guard_moves("webhooks_inboundevent", "inbound_event"),
        append_only("webhooks_providertransaction"),
        grants(
            {
                "webhooks_provider": CHANGE,
                "webhooks_providersecret": CHANGE,
                "webhooks_inboundevent": CHANGE,
                "webhooks_inboxcount": CHANGE,
                "webhooks_providertransaction": APPEND,
            }
        ),
        function_grants(["webhooks_receive"]),
    ]
