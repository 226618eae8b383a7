"""Confirmed payments are read again for some days: one may have come back without a word of the bank."""

from django.db import migrations, models

# Those of the last week are read as well, from now on.
_RECENT = """
UPDATE wallets_remoteoperation SET read_due_at = clock_timestamp()
WHERE leg = 'submit' AND state = 'confirmed' AND answered_at > clock_timestamp() - interval '7 days'
"""


class Migration(migrations.Migration):
    dependencies = [("wallets", "0050_channels")]

    operations = [
        migrations.AddField(
            model_name="remoteoperation",
            name="read_at",
            field=models.DateTimeField(
                help_text="a confirmed payment: when it was last asked whether it came back", null=True
            ),
        ),
        migrations.AddField(
            model_name="remoteoperation",
            name="read_due_at",
            field=models.DateTimeField(help_text="and when it is asked next; empty when it is no more", null=True),
        ),
        migrations.AddIndex(
            model_name="remoteoperation",
            index=models.Index(
                condition=models.Q(("read_due_at__isnull", False)),
                fields=["read_due_at"],
                name="remote_operation_to_be_read",
            ),
        ),
        migrations.RunSQL(_RECENT, migrations.RunSQL.noop),  # the column goes with the reverse
    ]
