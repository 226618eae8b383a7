"""Notices: raised once, sent outside any transaction."""

from django.db import migrations, models

from ledger.controls.grants import CHANGE, grants


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0004_windows"),
    ]

    operations = [
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("open_review", "Manual review is open"),
                            ("late_close", "A close is late"),
                            ("review_date_passed", "A review date has passed"),
                            ("break_rate", "Many breaks"),
                        ],
                        max_length=20,
                    ),
                ),
                ("subject", models.CharField(help_text="the case or close", max_length=80)),
                ("text", models.CharField(max_length=500)),
                ("raised_at", models.DateTimeField()),
                ("sent_at", models.DateTimeField(null=True)),
                ("available_at", models.DateTimeField()),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("lease_until", models.DateTimeField(null=True)),
                ("lease_token", models.CharField(default="", max_length=32)),
                ("last_error", models.CharField(default="", max_length=100)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("sent_at__isnull", True)), fields=["available_at"], name="notice_unsent"
                    )
                ],
                "constraints": [models.UniqueConstraint(fields=("kind", "subject"), name="notice_once")],
            },
        ),
        grants({"reconciliation_notice": CHANGE}),
    ]
