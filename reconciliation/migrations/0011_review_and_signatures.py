"""What a run found, who signed it, and what people wrote on exception cases."""

from django.db import migrations, models

from ledger.controls.grants import APPEND, EVERY, grants
from ledger.controls.sql_files import append_only


class Migration(migrations.Migration):
    dependencies = [
        ("reconciliation", "0010_more_windows"),
    ]

    operations = [
        migrations.CreateModel(
            name="CloseFinding",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("close_reference", models.CharField(max_length=40)),
                ("case_reference", models.CharField(db_index=True, max_length=40)),
                ("found", models.BooleanField(help_text="by this run; else it has healed")),
                ("type", models.CharField(max_length=40)),
                ("subject", models.CharField(max_length=80)),
                ("order_reference", models.CharField(max_length=40)),
                ("state", models.CharField(max_length=40)),
                ("owner", models.CharField(max_length=150)),
                ("next_review_on", models.DateField(null=True)),
                ("asset", models.CharField(max_length=20)),
                ("amount_minor", models.DecimalField(decimal_places=0, max_digits=39)),
                ("first_action", models.CharField(max_length=300)),
                ("reason", models.CharField(max_length=200)),
                ("resolution", models.CharField(max_length=200)),
                ("opened_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="CloseSignature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("close_reference", models.CharField(db_index=True, max_length=40)),
                ("role", models.CharField(choices=[("preparer", "Preparer"), ("reviewer", "Reviewer")], max_length=10)),
                ("person", models.CharField(max_length=150)),
                ("comment", models.CharField(max_length=500)),
                ("run", models.PositiveIntegerField(help_text="of the close: its files are those of this run")),
                ("files", models.JSONField(help_text="SHA-256 of each file")),
                ("ledger_block", models.BigIntegerField(null=True)),
                ("ledger_root", models.CharField(max_length=64)),
                ("signed_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ExceptionNote",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("case_reference", models.CharField(db_index=True, max_length=40)),
                ("author", models.CharField(max_length=150)),
                ("text", models.TextField()),
                ("written_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="closerun",
            name="ledger_block",
            field=models.BigIntegerField(help_text="the newest sealed block at its last run", null=True),
        ),
        migrations.AddField(
            model_name="closerun",
            name="ledger_root",
            field=models.CharField(default="", max_length=64),
        ),
        migrations.AddField(
            model_name="closerun",
            name="preparer",
            field=models.CharField(default="", help_text="who handed it to review", max_length=150),
        ),
        migrations.AddField(
            model_name="closerun",
            name="reviewer",
            field=models.CharField(help_text="who signed it: somebody else", max_length=150, null=True),
        ),
        migrations.AddField(
            model_name="closerun",
            name="step",
            field=models.CharField(default="", help_text="what its run is doing now; empty: no run", max_length=80),
        ),
        migrations.AddField(
            model_name="closerun",
            name="steps_done",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="closerun",
            name="steps_planned",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name="closerun",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("reviewer__isnull", True),
                    models.Q(("reviewer", models.F("preparer")), _negated=True),
                    _connector="OR",
                ),
                name="close_by_two_people",
            ),
        ),
        migrations.AddIndex(
            model_name="closefinding",
            index=models.Index(fields=["close_reference", "order_reference"], name="finding_of_order"),
        ),
        migrations.AddConstraint(
            model_name="closefinding",
            constraint=models.UniqueConstraint(fields=("close_reference", "case_reference"), name="finding_once"),
        ),
        append_only("reconciliation_closesignature"),
        append_only("reconciliation_exceptionnote"),
        grants(
            {
                "reconciliation_closefinding": EVERY,
                "reconciliation_closesignature": APPEND,
                "reconciliation_exceptionnote": APPEND,
            }
        ),
    ]
