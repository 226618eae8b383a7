"""Pay-ins: born booked, never changed."""

import django_fsm
from django.db import migrations, models

from ledger.controls.grants import APPEND, grants
from ledger.controls.sql_files import append_only, guard_moves


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0017_intents_and_payouts"),
    ]

    operations = [
        migrations.CreateModel(
            name="PayIn",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(max_length=40, unique=True)),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("operator_id", models.BigIntegerField(null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                (
                    "state",
                    django_fsm.FSMField(
                        choices=[("booked", "Booked")], default="booked", max_length=40, protected=True
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("collected", "Collected"),
                            ("refunded", "Refunded"),
                            ("charged_back", "Charged Back"),
                        ],
                        max_length=16,
                    ),
                ),
                ("wallet", models.CharField(help_text="whose money it is", max_length=40)),
                ("provider_id", models.BigIntegerField()),
                ("provider_code", models.CharField(max_length=60)),
                ("provider_transaction", models.CharField(help_text="the provider's own reference", max_length=255)),
                (
                    "collection",
                    models.CharField(db_index=True, default="", help_text="what is given or taken back", max_length=40),
                ),
                ("inbound_event", models.CharField(help_text="the event that told us first", max_length=40)),
                ("asset", models.CharField(max_length=20)),
                (
                    "gross_minor",
                    models.DecimalField(decimal_places=0, help_text="what the provider moved", max_digits=39),
                ),
                (
                    "fee_minor",
                    models.DecimalField(decimal_places=0, default=0, help_text="ours, without VAT", max_digits=39),
                ),
                ("vat_minor", models.DecimalField(decimal_places=0, default=0, max_digits=39)),
                ("fee_items", models.JSONField(default=list, help_text="each item with its rule and version")),
                ("occurred_at", models.DateTimeField(help_text="as the provider says; else when we were told")),
                ("request_id", models.CharField(default="", max_length=128)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["operator_id", "environment", "-id"], name="pay_in_list"),
                    models.Index(fields=["wallet", "-id"], name="pay_in_of_wallet"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("provider_id", "provider_transaction", "kind"), name="pay_in_once"),
                    models.CheckConstraint(condition=models.Q(("gross_minor__gt", 0)), name="pay_in_of_something"),
                ],
            },
        ),
        guard_moves("orders_payin", "pay_in"),
        append_only("orders_payin"),
        grants({"orders_payin": APPEND}),
    ]
