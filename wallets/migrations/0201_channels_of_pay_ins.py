"""A pay-in's channel is its provider, by its code."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0200_no_prefix_indexes"),
    ]

    operations = [
        migrations.AlterField(
            model_name="feerule",
            name="channel",
            field=models.CharField(
                blank=True, default="", help_text="empty: every channel; of pay-ins a provider's code", max_length=60
            ),
        ),
        migrations.AlterField(
            model_name="limitrule",
            name="channel",
            field=models.CharField(
                blank=True, default="", help_text="empty: every channel; of pay-ins a provider's code", max_length=60
            ),
        ),
    ]
