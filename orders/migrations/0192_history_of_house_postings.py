"""A wallet's history has lines of what the house posts outside flows."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0191_what_a_provider_said_of_when")]

    operations = [
        migrations.AlterField(
            model_name="walletentry",
            name="subject",
            field=models.CharField(
                db_index=True, help_text="the intent, pay-in or return; or the ledger posting", max_length=40
            ),
        ),
    ]
