"""The status poller finds intents too."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("orders", "0040_instant_transfers")]

    operations = [
        migrations.AlterField(
            "stalefinding",
            "kind",
            models.CharField(
                choices=[
                    ("order", "Order"),
                    ("return", "Return"),
                    ("remote operation", "Operation"),
                    ("trade", "Trade"),
                    ("hold", "Hold"),
                    ("intent", "Intent"),
                ],
                max_length=20,
            ),
        ),
    ]
