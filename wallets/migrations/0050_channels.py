"""A gateway is the door of one channel: the wallet, or one that pays out. A payment has the date on which it settles."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0042_rule_guards")]

    operations = [
        migrations.RemoveConstraint(model_name="gateway", name="gateway_once"),
        migrations.AddField(
            model_name="gateway",
            name="channel",
            field=models.CharField(default="wallet", help_text="wallet, promptpay or bank_transfer", max_length=20),
        ),
        migrations.AddField(
            model_name="remoteoperation",
            name="settlement_date",
            field=models.DateField(help_text="a payment: when the other side says that it settles", null=True),
        ),
        migrations.AddConstraint(
            model_name="gateway",
            constraint=models.UniqueConstraint(fields=("operator", "environment", "channel"), name="gateway_once"),
        ),
    ]
