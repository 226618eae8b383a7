"""Tell the ORM of the tables that SQL made: seals, closures, the trace of periods."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0006_journal_functions"),
    ]

    operations = [
        migrations.CreateModel(
            name="Block",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "book_id", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("book_id", models.SmallIntegerField()),
                ("number", models.BigIntegerField()),
                ("sealed_at", models.DateTimeField()),
                ("members", models.IntegerField()),
                ("members_hash", models.TextField()),
                ("previous_root", models.TextField()),
                ("root", models.TextField()),
            ],
            options={
                "db_table": "ledger_block",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="BlockMember",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "book_id", "number", "position", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("book_id", models.SmallIntegerField()),
                ("number", models.BigIntegerField()),
                ("position", models.IntegerField()),
                ("transaction_id", models.UUIDField()),
                ("digest", models.BinaryField()),
            ],
            options={
                "db_table": "ledger_block_member",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Closure",
            fields=[
                (
                    "account",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        primary_key=True,
                        related_name="closure",
                        serialize=False,
                        to="ledger.account",
                    ),
                ),
                ("book_id", models.SmallIntegerField()),
                ("closed_by", models.UUIDField()),
                ("closed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "ledger_closure",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="PeriodChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("book_id", models.SmallIntegerField()),
                ("business_date", models.DateField()),
                ("version", models.IntegerField()),
                ("action", models.TextField(choices=[("locked", "Locked"), ("unlocked", "Unlocked")])),
                ("actor", models.TextField()),
                ("approval", models.TextField(help_text="the reference of the approved proposal, of an unlock")),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "db_table": "ledger_period_change",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Unsealed",
            fields=[
                ("transaction_id", models.UUIDField(primary_key=True, serialize=False)),
                ("book_id", models.SmallIntegerField()),
            ],
            options={
                "db_table": "ledger_unsealed",
                "managed": False,
            },
        ),
    ]
