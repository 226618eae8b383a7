"""A quote is found by the id that its venue gave it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0180_no_prefix_indexes"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="quote",
            index=models.Index(
                condition=models.Q(("venue_quote_id", ""), _negated=True),
                fields=["venue_quote_id"],
                name="quote_by_venue_quote",
            ),
        ),
    ]
