"""Intents, payouts and the history of wallets. Guarded moves, and the application's rights."""

import django_fsm
from django.db import migrations, models

from ledger.controls.grants import APPEND, CHANGE, grants
from ledger.controls.sql_files import append_only, guard_moves


class Migration(migrations.Migration):
    dependencies = [
        ("orders", "0016_stale_grants"),
    ]

    operations = [
        migrations.CreateModel(
            name="Intent",
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
                            ("created", "Created"),
                            ("validated", "Validated"),
                            ("authorized", "Authorized"),
                            ("settled", "Settled"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                            ("manual_review", "Manual Review"),
                        ],
                        default="created",
                        max_length=40,
                        protected=True,
                    ),
                ),
                ("kind", models.CharField(choices=[("transfer", "Transfer"), ("payout", "Payout")], max_length=10)),
                (
                    "channel",
                    models.CharField(
                        choices=[
                            ("internal", "Internal"),
                            ("promptpay", "Promptpay"),
                            ("bank_transfer", "Bank Transfer"),
                        ],
                        max_length=20,
                    ),
                ),
                (
                    "status_reason",
                    models.CharField(
                        default="", help_text="stable, for the operator: limit_exceeded, …", max_length=60
                    ),
                ),
                ("payer", models.CharField(db_index=True, help_text="the wallet that pays", max_length=40)),
                (
                    "payee",
                    models.CharField(
                        db_index=True, default="", help_text="the wallet that is paid: transfers", max_length=40
                    ),
                ),
                (
                    "recipient",
                    models.JSONField(default=dict, help_text="who is paid outside: payouts; as the channel names them"),
                ),
                ("asset", models.CharField(max_length=20)),
                ("amount_minor", models.DecimalField(decimal_places=0, help_text="what was asked for", max_digits=39)),
                (
                    "debit_minor",
                    models.DecimalField(
                        decimal_places=0, help_text="taken from the payer in all", max_digits=39, null=True
                    ),
                ),
                (
                    "credit_minor",
                    models.DecimalField(decimal_places=0, help_text="reaches the payee", max_digits=39, null=True),
                ),
                (
                    "fee_minor",
                    models.DecimalField(decimal_places=0, default=0, help_text="ours, without VAT", max_digits=39),
                ),
                ("vat_minor", models.DecimalField(decimal_places=0, default=0, max_digits=39)),
                (
                    "network_fee_minor",
                    models.DecimalField(decimal_places=0, default=0, help_text="the channel's", max_digits=39),
                ),
                ("fee_items", models.JSONField(default=list, help_text="each item with its rule and version")),
                (
                    "usages",
                    models.JSONField(default=list, help_text="the limit counters it took from, with their days"),
                ),
                ("terms", models.JSONField(default=dict, help_text="the accounts of its ledger lines")),
                (
                    "partner_reference",
                    models.CharField(default="", help_text="the operator's own id for it", max_length=80),
                ),
                ("note", models.CharField(default="", max_length=140)),
                ("lookup_ref", models.CharField(default="", help_text="the recipient query's", max_length=120)),
                ("receiver_name", models.CharField(default="", max_length=140)),
                (
                    "response_id",
                    models.CharField(default="", help_text="the channel's, of the submission", max_length=120),
                ),
                ("settlement_date", models.DateField(null=True)),
                (
                    "reference_number",
                    models.CharField(default="", help_text="what the user is shown at the end", max_length=40),
                ),
                ("scheduled_for", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(help_text="an unconfirmed payout is cancelled then", null=True)),
                ("request_id", models.CharField(default="", max_length=128)),
                ("validated_at", models.DateTimeField(null=True)),
                ("authorized_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["operator_id", "environment", "-id"], name="intent_list"),
                    models.Index(
                        condition=models.Q(("scheduled_for__isnull", False), ("state", "created")),
                        fields=["scheduled_for"],
                        name="intent_due",
                    ),
                    models.Index(
                        condition=models.Q(("state__in", ["created", "validated", "authorized", "manual_review"])),
                        fields=["state", "updated_at"],
                        name="intent_open",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("partner_reference", ""), _negated=True),
                        fields=("operator_id", "environment", "partner_reference"),
                        name="intent_partner_reference_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Payout",
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
                            ("reserved", "Reserved"),
                            ("submitting", "Submitting"),
                            ("waiting", "Waiting"),
                            ("requerying", "Requerying"),
                            ("settling", "Settling"),
                            ("releasing", "Releasing"),
                            ("dead_letter", "Dead Letter"),
                            ("manual_review", "Manual Review"),
                            ("complete", "Complete"),
                        ],
                        default="reserved",
                        max_length=40,
                        protected=True,
                    ),
                ),
                (
                    "intent_reference",
                    models.CharField(help_text="already started is success", max_length=40, unique=True),
                ),
                ("gateway_id", models.BigIntegerField()),
                ("asset", models.CharField(max_length=20)),
                ("amount_minor", models.DecimalField(decimal_places=0, max_digits=39)),
                ("requeries", models.PositiveSmallIntegerField(default=0)),
                ("next_requery_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "complete"), _negated=True),
                        fields=["state", "updated_at"],
                        name="payout_in_flight",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WalletEntry",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("wallet", models.CharField(max_length=40)),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("operator_id", models.BigIntegerField()),
                (
                    "subject",
                    models.CharField(db_index=True, help_text="the intent, inbound event or return", max_length=40),
                ),
                (
                    "kind",
                    models.CharField(
                        help_text="transfer_out, transfer_in, payout_hold, payout, payin, …", max_length=24
                    ),
                ),
                ("asset", models.CharField(max_length=20)),
                (
                    "amount_minor",
                    models.DecimalField(
                        decimal_places=0, help_text="signed: into the wallet is positive", max_digits=39
                    ),
                ),
                (
                    "posted_minor",
                    models.DecimalField(decimal_places=0, help_text="the posted balance after it", max_digits=39),
                ),
                ("held_minor", models.DecimalField(decimal_places=0, help_text="what is held after it", max_digits=39)),
                ("ledger_reference", models.CharField(default="", max_length=40)),
                ("recorded_at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["wallet", "-id"], name="wallet_history")],
                "constraints": [
                    models.UniqueConstraint(fields=("wallet", "subject", "kind"), name="wallet_entry_once")
                ],
            },
        ),
        guard_moves("orders_intent", "intent"),
        guard_moves("orders_payout", "payout"),
        append_only("orders_walletentry"),
        grants({"orders_intent": CHANGE, "orders_payout": CHANGE, "orders_walletentry": APPEND}),
    ]
