"""Let the house have gateways of other channels than a wallet: one for each venue."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0030_at_least_one_question")]

    operations = [
        migrations.AddField(
            model_name="gateway",
            name="channel",
            field=models.CharField(default="wallet", help_text="wallet, or venue:{code} of the house", max_length=40),
        ),
        migrations.RemoveConstraint(model_name="gateway", name="gateway_once"),
        migrations.AddConstraint(
            model_name="gateway",
            constraint=models.UniqueConstraint(fields=("operator", "environment", "channel"), name="gateway_once"),
        ),
    ]
