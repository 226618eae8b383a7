"""Keep that a notice was mailed, so that a webhook that does not take it brings no second e-mail."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reconciliation", "0080_inbound_events_by_subject")]

    operations = [
        migrations.AddField(
            model_name="notice",
            name="mailed_at",
            field=models.DateTimeField(help_text="by e-mail; the webhook may still be tried", null=True),
        ),
    ]
