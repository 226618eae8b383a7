"""Tell people of fee rules whose condition failed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0060_days_kept"),
        ("wallets", "0043_rule_failures"),
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
                    ("fee_rule_failed", "A fee rule's condition failed"),
                ],
                max_length=20,
            ),
        ),
    ]
