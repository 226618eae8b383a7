"""Statements of banks and operators, their lines and matches."""

import django.db.models.deletion
import django_fsm
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0011_review_and_signatures"),
    ]

    operations = [
        migrations.CreateModel(
            name="StatementFile",
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
                        choices=[("received", "Received"), ("imported", "Imported"), ("discarded", "Discarded")],
                        default="received",
                        max_length=40,
                        protected=True,
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("size", models.PositiveBigIntegerField()),
                ("sha256", models.CharField(max_length=64)),
                ("content", models.BinaryField()),
                ("mapping", models.JSONField(default=dict, help_text="the source's mapping when it was imported")),
                ("received_by", models.CharField(max_length=150)),
                ("new_lines", models.PositiveIntegerField(default=0)),
                ("known_lines", models.PositiveIntegerField(default=0, help_text="that an earlier file had brought")),
            ],
        ),
        migrations.CreateModel(
            name="StatementSource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("code", models.CharField(max_length=40)),
                ("name", models.CharField(max_length=120)),
                ("kind", models.CharField(choices=[("bank", "Bank"), ("operator", "Operator")], max_length=10)),
                ("operator_id", models.BigIntegerField(help_text="of an operator's statements", null=True)),
                (
                    "account",
                    models.CharField(
                        help_text="the address in our book: bank:main, operators:acme:due", max_length=255
                    ),
                ),
                ("asset", models.CharField(help_text="what a line is of that names no asset", max_length=20)),
                ("format", models.CharField(choices=[("csv", "Csv"), ("camt053", "camt.053")], max_length=10)),
                (
                    "mapping",
                    models.JSONField(default=dict, help_text="of a CSV: its columns, dates, decimals and directions"),
                ),
                (
                    "date_window_days",
                    models.PositiveSmallIntegerField(default=3, help_text="how far a match without ids may lie"),
                ),
                ("created_by", models.CharField(max_length=150)),
                ("created_at", models.DateTimeField()),
                ("changed_by", models.CharField(max_length=150)),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("environment", "code"), name="statement_source_once"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("kind", "operator"), ("operator_id__isnull", False)),
                            models.Q(("kind", "bank"), ("operator_id__isnull", True)),
                            _connector="OR",
                        ),
                        name="statement_source_of_whom",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StatementLine",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(max_length=40, unique=True)),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("operator_id", models.BigIntegerField(null=True)),
                ("number", models.PositiveIntegerField(help_text="in its file")),
                ("line_id", models.CharField(help_text="theirs", max_length=140)),
                ("booked_on", models.DateField()),
                ("value_on", models.DateField(null=True)),
                ("business_date", models.DateField()),
                ("asset", models.CharField(max_length=20)),
                ("amount_minor", models.DecimalField(decimal_places=0, max_digits=39)),
                (
                    "our_key",
                    models.CharField(
                        default="", help_text="the idempotency or ledger key that we sent", max_length=255
                    ),
                ),
                (
                    "our_reference",
                    models.CharField(default="", help_text="an id of ours: order, payout, return, …", max_length=140),
                ),
                (
                    "provider_reference",
                    models.CharField(default="", help_text="their id of the movement", max_length=140),
                ),
                ("partner_order_id", models.CharField(default="", max_length=255)),
                ("quote_reference", models.CharField(default="", max_length=140)),
                ("description", models.CharField(default="", max_length=500)),
                ("raw", models.JSONField(default=dict, help_text="the line as it came")),
                ("unmatched_because", models.CharField(default="", max_length=300)),
                ("imported_at", models.DateTimeField()),
                (
                    "file",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="reconciliation.statementfile",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="reconciliation.statementsource",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="statementfile",
            name="source",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="files", to="reconciliation.statementsource"
            ),
        ),
        migrations.CreateModel(
            name="StatementMatch",
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
                        choices=[("standing", "Standing"), ("undone", "Undone")],
                        default="standing",
                        max_length=40,
                        protected=True,
                    ),
                ),
                ("transaction_id", models.UUIDField(help_text="of our book")),
                ("transaction_key", models.CharField(max_length=255)),
                (
                    "rule",
                    models.CharField(
                        choices=[
                            ("our_key", "our key"),
                            ("our_reference", "our reference"),
                            ("provider_reference", "their reference"),
                            ("partner_order_id", "partner order id"),
                            ("amount_and_date", "exact amount within the date window"),
                            ("by_hand", "by hand"),
                        ],
                        max_length=20,
                    ),
                ),
                ("matched_by", models.CharField(max_length=150)),
                ("reason", models.CharField(default="", max_length=200)),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="matches",
                        to="reconciliation.statementline",
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="matches",
                        to="reconciliation.statementsource",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "standing")), fields=("line",), name="statement_line_matched_once"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "standing")),
                        fields=("source", "transaction_id"),
                        name="statement_transaction_once",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="statementline",
            index=models.Index(fields=["environment", "business_date"], name="statement_line_date"),
        ),
        migrations.AddIndex(
            model_name="statementline",
            index=models.Index(
                condition=models.Q(("partner_order_id", ""), _negated=True),
                fields=["operator_id", "partner_order_id"],
                name="statement_line_partner",
            ),
        ),
        migrations.AddConstraint(
            model_name="statementline",
            constraint=models.UniqueConstraint(fields=("source", "line_id"), name="statement_line_once"),
        ),
        migrations.AddConstraint(
            model_name="statementfile",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "discarded"), _negated=True),
                fields=("source", "sha256"),
                name="statement_file_once",
            ),
        ),
    ]
