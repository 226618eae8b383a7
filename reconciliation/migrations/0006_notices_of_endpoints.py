"""A disabled webhook endpoint is told as every other notice is."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0005_notices"),
    ]

    operations = [
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("open_review", "Manual review is open"),
                    ("late_close", "A close is late"),
                    ("review_date_passed", "A review date has passed"),
                    ("break_rate", "Many breaks"),
                    ("endpoint_disabled", "A webhook endpoint was disabled"),
                ],
                max_length=20,
            ),
        ),
    ]
