"""Let orders, quotes and trades be found by each id that the console's search compares, without reading every row."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0030_review_deadlines"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["user_reference"], name="order_by_user"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["idempotency_key"], name="order_by_key"),
        ),
        migrations.AddIndex(
            model_name="quote",
            index=models.Index(fields=["user_reference"], name="quote_by_user"),
        ),
        migrations.AddIndex(
            model_name="quote",
            index=models.Index(
                condition=models.Q(("order_reference", ""), _negated=True),
                fields=["order_reference"],
                name="quote_by_order",
            ),
        ),
    ]
