"""Further channels pay out. A payment has the date on which it settles."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0045_rule_editors")]

    operations = [
        migrations.AlterField(
            model_name="gateway",
            name="channel",
            field=models.CharField(
                default="wallet",
                help_text="wallet, promptpay, bank_transfer, or venue:{code} of the house",
                max_length=40,
            ),
        ),
        migrations.AddField(
            model_name="remoteoperation",
            name="settlement_date",
            field=models.DateField(help_text="a payment: when the other side says that it settles", null=True),
        ),
    ]
