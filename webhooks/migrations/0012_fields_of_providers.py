"""A provider's mapping may name further fields."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0011_take_events_by_aggregate"),
    ]

    operations = [
        migrations.AlterField(
            model_name="provider",
            name="mapping",
            field=models.JSONField(
                default=dict,
                help_text="paths in the body: event_id, kind, transaction, subjects (a list), and fields by name",
            ),
        ),
    ]
