"""Tell people of review cases that are overdue."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0021_statement_guards"),
        ("orders", "0030_review_deadlines"),
    ]

    operations = [
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("open_review", "Manual review is open"),
                    ("review_overdue", "A manual review is overdue"),
                    ("late_close", "A close is late"),
                    ("review_date_passed", "A review date has passed"),
                    ("break_rate", "Many breaks"),
                    ("endpoint_disabled", "A webhook endpoint was disabled"),
                ],
                max_length=20,
            ),
        ),
    ]
