"""Tell people of closed wallets in which something moved."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0152_downloads_of_files"),
        ("wallets", "0211_closed_wallets_open_again"),
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
                    ("closed_wallet_moved", "A closed wallet has money"),
                ],
                max_length=20,
            ),
        ),
    ]
