"""A built-in pair's quotes may stay below its curve, so that they outlive others' orders."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0061_pay_in_names")]

    operations = [
        migrations.AddField(
            model_name="pool",
            name="quote_margin_bps",
            field=models.PositiveSmallIntegerField(
                default=0,
                help_text=(
                    "by how many basis points of its output a quote stays below the curve, so that it outlives others'"
                    " orders"
                ),
            ),
        ),
        migrations.AddConstraint(
            model_name="pool",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "constant_product"), ("quote_margin_bps__lte", 1000)),
                    ("quote_margin_bps", 0),
                    _connector="OR",
                ),
                name="pool_margin_is_a_makers",
            ),
        ),
    ]
