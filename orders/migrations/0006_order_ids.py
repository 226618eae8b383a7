"""Find orders by the ids that others know them by."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0005_returns"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["partner_order_id"], name="order_by_partner_id"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["request_id"], name="order_by_request"),
        ),
    ]
