"""Create the functions of the relay and of deliveries; give the application its rights on them and on the feed."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import APPEND, function_grants, grants
from ledger.controls.sql_files import append_only, run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"

_RELAY = (
    "webhooks_lock_aggregates",
    "webhooks_take_events",
    "webhooks_fan_out",
    "webhooks_publish",
    "webhooks_postpone_event",
)
_DELIVERIES = (
    "webhooks_claim_deliveries",
    "webhooks_record_attempts",
    "webhooks_waiting_behind",
    "webhooks_judge_endpoints",
    "webhooks_hasten",
)


def _drops(functions: tuple[str, ...]) -> str:
    return "; ".join(f"DROP FUNCTION {name}" for name in functions)


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0003_lanes_and_feed")]

    operations = [
        append_only("webhooks_feedentry"),
        grants({"webhooks_feedentry": APPEND}),
        run_sql_file(_SQL / "relay.sql", reverse=_drops(_RELAY)),
        run_sql_file(_SQL / "deliveries.sql", reverse=_drops(_DELIVERIES)),
        function_grants([*_RELAY, *_DELIVERIES]),
    ]
