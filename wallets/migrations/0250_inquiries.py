"""Questions for which a request waits: a lease while one runs, a limit of their own, and what was said is kept."""

import django.core.validators
from django.db import migrations, models

from ledger.controls.grants import APPEND, EVERY, grants
from ledger.controls.sql_files import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0211_closed_wallets_open_again"),
    ]

    operations = [
        migrations.CreateModel(
            name="Inquiry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("gateway_id", models.BigIntegerField()),
                ("kind", models.CharField(choices=[("price", "Price")], max_length=10)),
                ("subject", models.CharField(help_text="what it was about: a pool", max_length=60)),
                ("request_id", models.CharField(max_length=128)),
                ("started_at", models.DateTimeField()),
                ("duration_ms", models.PositiveIntegerField()),
                ("http_status", models.PositiveSmallIntegerField(null=True)),
                ("outcome", models.CharField(help_text="answered, refused or unknown", max_length=10)),
                ("detail", models.CharField(default="", help_text="their id, reason or cause", max_length=200)),
                (
                    "question",
                    models.CharField(default="", help_text="the beginning of what was sent, redacted", max_length=500),
                ),
                (
                    "excerpt",
                    models.CharField(default="", help_text="the beginning of the answer, redacted", max_length=500),
                ),
            ],
        ),
        migrations.CreateModel(
            name="InquiryLease",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("gateway_id", models.BigIntegerField()),
                ("token", models.CharField(max_length=32)),
                ("lease_until", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="gateway",
            name="inquiry_concurrency",
            field=models.PositiveSmallIntegerField(
                default=6,
                help_text="of those, questions that a request waits for (a price): keep it well below the threads of the web",
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AddConstraint(
            model_name="gateway",
            constraint=models.CheckConstraint(
                condition=models.Q(("inquiry_concurrency__gte", 1)), name="gateway_inquires_at_least_once"
            ),
        ),
        migrations.AddIndex(
            model_name="inquiry",
            index=models.Index(fields=["request_id"], name="inquiry_by_request"),
        ),
        migrations.AddIndex(
            model_name="inquiry",
            index=models.Index(fields=["gateway_id", "started_at"], name="inquiry_by_gateway"),
        ),
        migrations.AddConstraint(
            model_name="inquirylease",
            constraint=models.UniqueConstraint(fields=("gateway_id", "token"), name="inquiry_lease_once"),
        ),
        append_only("wallets_inquiry"),
        grants({"wallets_inquiry": APPEND, "wallets_inquirylease": EVERY}),
    ]
