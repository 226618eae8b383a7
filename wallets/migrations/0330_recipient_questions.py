"""Recipient questions of payouts are inquiries too."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0250_inquiries"),
    ]

    operations = [
        migrations.AlterModelOptions(name="inquiry", options={"verbose_name_plural": "inquiries"}),
        migrations.AlterField(
            model_name="inquiry",
            name="kind",
            field=models.CharField(choices=[("price", "Price"), ("recipient", "Recipient")], max_length=10),
        ),
        migrations.AlterField(
            model_name="inquiry",
            name="subject",
            field=models.CharField(help_text="what it was about: a pool, an intent", max_length=60),
        ),
        migrations.AlterField(
            model_name="gateway",
            name="inquiry_concurrency",
            field=models.PositiveSmallIntegerField(
                default=6,
                help_text="of those, questions that a request waits for (prices, recipients): well below the threads of the web",
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
    ]
