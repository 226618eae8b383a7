"""Returns: what comes after the end of an order. Guarded moves, and the application's rights."""

import django_fsm
from django.db import migrations, models

from ledger.controls.grants import CHANGE, grants
from ledger.controls.sql_files import guard_moves


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0004_sagas_of_any_subject"),
    ]

    operations = [
        migrations.AlterField(
            model_name="reviewcase",
            name="subject",
            field=models.CharField(db_index=True, help_text="the order or return", max_length=40),
        ),
        migrations.CreateModel(
            name="Return",
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
                        choices=[
                            ("open", "Open"),
                            ("adjusted", "Adjusted"),
                            ("dismissed", "Dismissed"),
                            ("given_back", "Given Back"),
                            ("kept", "Kept"),
                        ],
                        default="open",
                        max_length=40,
                        protected=True,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("trade_returned", "Trade Returned"), ("late_effect", "Late Effect")], max_length=20
                    ),
                ),
                ("order_reference", models.CharField(db_index=True, max_length=40)),
                (
                    "trade_reference",
                    models.CharField(default="", help_text="the trade that was taken back", max_length=40),
                ),
                (
                    "operation_key",
                    models.CharField(default="", help_text="the key whose effect came late", max_length=120),
                ),
                (
                    "leg",
                    models.CharField(
                        help_text="the movement that does not belong: debit, credit or reverse", max_length=10
                    ),
                ),
                ("user_reference", models.CharField(max_length=64)),
                ("partner_order_id", models.CharField(max_length=80)),
                ("asset", models.CharField(help_text="the wallet's asset", max_length=20)),
                ("amount_minor", models.DecimalField(decimal_places=0, max_digits=39)),
                ("terms", models.JSONField(help_text="the accounts of its ledger lines")),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["state", "created_at"], name="return_queue")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("operation_key", ""), _negated=True),
                        fields=("operation_key",),
                        name="return_of_operation_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("trade_reference", ""), _negated=True),
                        fields=("trade_reference",),
                        name="return_of_trade_once",
                    ),
                ],
            },
        ),
        guard_moves("orders_return", "return"),
        grants({"orders_return": CHANGE}),
    ]
