"""Let the trace find inbound events by the ids that they name, without reading every one."""

from pathlib import Path

from django.db import migrations

_SQL = Path(__file__).parent.parent / "sql" / "inbound_events_by_subject.sql"


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0061_batch_lines"),
        ("webhooks", "0012_fields_of_providers"),
    ]

    operations = [
        migrations.RunSQL(_SQL.read_text(encoding="utf-8"), "DROP INDEX inbound_event_by_subject"),
    ]
