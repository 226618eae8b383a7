"""A gateway takes at least one question at a time: pausing is what stops it."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("wallets", "0022_wallets")]

    operations = [
        migrations.RunSQL("UPDATE wallets_gateway SET concurrency = 1 WHERE concurrency = 0", migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="gateway",
            name="concurrency",
            field=models.PositiveSmallIntegerField(
                default=12,
                help_text="questions that run at once, of all workers: keep it below their threads",
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddConstraint(
            model_name="gateway",
            constraint=models.CheckConstraint(
                condition=models.Q(("concurrency__gte", 1)), name="gateway_asks_at_least_one"
            ),
        ),
    ]
