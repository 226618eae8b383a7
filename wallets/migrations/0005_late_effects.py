"""A confirmation that came late says so."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0004_unknown_leaves_by_evidence"),
    ]

    operations = [
        migrations.AddField(
            model_name="remoteoperation",
            name="late",
            field=models.BooleanField(
                default=False,
                help_text="confirmed after its lease was lost, or after it was proven absent: perhaps a late effect",
            ),
        ),
    ]
