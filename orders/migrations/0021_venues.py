"""Let outside venues execute trades: pools of theirs, their price's id on quotes, and the one retry of a released trade."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0020_news"),
    ]

    operations = [
        migrations.CreateModel(
            name="Venue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.SlugField(help_text="part of its account addresses; never changes", max_length=30)),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("gateway_id", models.BigIntegerField(help_text="the house's gateway to it")),
                ("reserves", models.BooleanField(help_text="it can hold a trade's terms until it is asked to execute")),
            ],
        ),
        migrations.AddField(
            model_name="quote",
            name="venue_quote_id",
            field=models.CharField(default="", help_text="the outside venue's id of its price", max_length=120),
        ),
        migrations.AddField(
            model_name="trade",
            name="retry_of",
            field=models.CharField(
                default="",
                help_text="the released trade that this one tries once more, under the same order",
                max_length=40,
            ),
        ),
        migrations.AlterField(
            model_name="pool",
            name="kind",
            field=models.CharField(
                choices=[
                    ("constant_product", "Constant Product"),
                    ("outcome_market", "Outcome"),
                    ("outside", "Outside"),
                ],
                default="constant_product",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="sagarun",
            name="subject",
            field=models.CharField(help_text="the order, return or trade that it advances", max_length=40, unique=True),
        ),
        migrations.AddConstraint(
            model_name="trade",
            constraint=models.UniqueConstraint(
                condition=models.Q(("retry_of", ""), _negated=True),
                fields=("order_reference",),
                name="trade_retried_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="venue",
            constraint=models.UniqueConstraint(fields=("environment", "code"), name="venue_once"),
        ),
        migrations.AddField(
            model_name="pool",
            name="venue",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="pools", to="orders.venue"
            ),
        ),
        migrations.AddConstraint(
            model_name="pool",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "outside"), ("venue__isnull", False)),
                    models.Q(models.Q(("kind", "outside"), _negated=True), ("venue__isnull", True)),
                    _connector="OR",
                ),
                name="outside_pool_has_venue",
            ),
        ),
    ]
