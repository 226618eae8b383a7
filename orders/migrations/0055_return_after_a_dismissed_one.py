"""A payout whose return was dismissed as a mistake may come back after all: under another transaction of the bank."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0050_payouts")]

    operations = [
        migrations.RemoveConstraint(model_name="return", name="return_of_payout_once"),
        migrations.AddConstraint(
            model_name="return",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "payout_returned"), models.Q(("state", "dismissed"), _negated=True)),
                fields=("intent_reference",),
                name="return_of_payout_once",
            ),
        ),
    ]
