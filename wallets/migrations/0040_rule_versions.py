"""Fee rules become versions of a machine; limits and their counters come."""

from typing import Any

import django_fsm
from django.db import migrations, models

# The column stays; the foreign key goes: a rule names its operator as orders do.
_NO_FOREIGN_KEY = """
DO $$
DECLARE
    v_name text;
BEGIN
    FOR v_name IN SELECT conname FROM pg_constraint
                  WHERE conrelid = 'wallets_feerule'::regclass AND contype = 'f' LOOP
        EXECUTE format('ALTER TABLE wallets_feerule DROP CONSTRAINT %I', v_name);
    END LOOP;
    FOR v_name IN SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                  WHERE i.indrelid = 'wallets_feerule'::regclass AND i.indnatts = 1 AND a.attname = 'operator_id' LOOP
        EXECUTE format('DROP INDEX %I', v_name);
    END LOOP;
END $$
"""


def _state() -> "models.Field[Any, Any]":
    state: models.Field[Any, Any] = django_fsm.FSMField(
        choices=[("draft", "Draft"), ("proposed", "Proposed"), ("active", "Active"), ("retired", "Retired")],
        default="draft",
        max_length=40,
        protected=True,
    )
    return state


_ADDED: "dict[str, models.Field[Any, Any]]" = {
    "reference": models.CharField(default="", max_length=40),
    "version": models.PositiveIntegerField(default=1),
    "state": _state(),
    "note": models.CharField(default="", help_text="why, in the maker's words", max_length=500),
    "made_by": models.CharField(default="", max_length=150),
    "activated_by": models.CharField(default="", max_length=150),
    "activated_at": models.DateTimeField(null=True),
    "retired_at": models.DateTimeField(null=True),
    "created_at": models.DateTimeField(null=True),
    "updated_at": models.DateTimeField(null=True),
    "code": models.CharField(default="", help_text="the rule, in all its versions", max_length=60),
    "channel": models.CharField(blank=True, default="", help_text="empty: every channel", max_length=20),
    "priority": models.PositiveSmallIntegerField(default=100, help_text="the lowest is tried first"),
    "phase": models.CharField(choices=[("PRE", "Pre"), ("POST", "Post")], default="POST", max_length=4),
    "tiers": models.JSONField(
        blank=True,
        default=list,
        help_text="instead of both: the first whose up_to_minor the amount does not exceed prices the whole amount",
    ),
    "minimum_minor": models.DecimalField(decimal_places=0, default=0, max_digits=39),
    "maximum_minor": models.DecimalField(blank=True, decimal_places=0, max_digits=39, null=True),
    "condition": models.TextField(blank=True, default="", help_text="in CEL; empty: always"),
}


class Migration(migrations.Migration):
    dependencies = [("wallets", "0031_channels"), ("ledger", "0011_chart_guards")]

    operations = [
        migrations.RemoveConstraint(model_name="feerule", name="fee_rule_version_once"),
        migrations.SeparateDatabaseAndState(
            # what went cannot come back with rows of rules in it
            database_operations=[migrations.RunSQL(_NO_FOREIGN_KEY, migrations.RunSQL.noop)],
            state_operations=[
                migrations.RemoveField(model_name="feerule", name="operator"),
                migrations.AddField(model_name="feerule", name="operator_id", field=models.BigIntegerField(null=True)),
            ],
        ),
        migrations.RenameField(model_name="feerule", old_name="version", new_name="number"),
        migrations.RenameField(model_name="feerule", old_name="active_from", new_name="valid_from"),
        migrations.RenameField(model_name="feerule", old_name="active_until", new_name="valid_until"),
        migrations.AlterField(
            model_name="feerule", name="valid_from", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AlterField(model_name="feerule", name="flow", field=models.CharField(max_length=20)),
        migrations.AlterField(
            model_name="feerule",
            name="name",
            field=models.CharField(
                help_text="what it is: an item on quotes and intents, a limit in refusals", max_length=40
            ),
        ),
        *(migrations.AddField(model_name="feerule", name=name, field=field) for name, field in _ADDED.items()),
        migrations.CreateModel(
            name="LimitRule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(max_length=40, unique=True)),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("operator_id", models.BigIntegerField(null=True)),
                ("version", models.PositiveIntegerField(default=1)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("state", _state()),
                ("number", models.PositiveIntegerField()),
                ("note", models.CharField(default="", help_text="why, in the maker's words", max_length=500)),
                ("made_by", models.CharField(max_length=150)),
                ("activated_by", models.CharField(default="", max_length=150)),
                ("activated_at", models.DateTimeField(null=True)),
                ("retired_at", models.DateTimeField(null=True)),
                ("code", models.CharField(help_text="the rule, in all its versions", max_length=60)),
                (
                    "name",
                    models.CharField(
                        help_text="what it is: an item on quotes and intents, a limit in refusals", max_length=40
                    ),
                ),
                ("flow", models.CharField(max_length=20)),
                (
                    "channel",
                    models.CharField(blank=True, default="", help_text="empty: every channel", max_length=20),
                ),
                ("asset", models.CharField(max_length=20)),
                ("priority", models.PositiveSmallIntegerField(default=100, help_text="the lowest is tried first")),
                ("valid_from", models.DateTimeField(blank=True, null=True)),
                ("valid_until", models.DateTimeField(blank=True, null=True)),
                (
                    "scope",
                    models.CharField(choices=[("wallet", "Wallet"), ("operator", "Operator")], max_length=8),
                ),
                (
                    "period",
                    models.CharField(choices=[("transaction", "Transaction"), ("day", "Day")], max_length=12),
                ),
                ("cap_minor", models.DecimalField(decimal_places=0, max_digits=39)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("state", "active")),
                        fields=["environment", "asset", "flow"],
                        name="limit_rule_standing",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("environment", "code", "number"), name="limit_rule_number_once"),
                    models.UniqueConstraint(
                        condition=models.Q(("state", "active")),
                        fields=("environment", "code"),
                        name="limit_rule_one_active",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="LimitUsage",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("operator_id", models.BigIntegerField()),
                ("name", models.CharField(help_text="the limit's", max_length=40)),
                ("flow", models.CharField(help_text="as its rule says: any where that is for any", max_length=20)),
                ("channel", models.CharField(default="", max_length=20)),
                ("asset", models.CharField(max_length=20)),
                (
                    "wallet",
                    models.CharField(default="", help_text="empty: the operator's in all", max_length=40),
                ),
                ("day", models.DateField()),
                ("used_minor", models.DecimalField(decimal_places=0, default=0, max_digits=39)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "environment",
                            "operator_id",
                            "wallet",
                            "day",
                            "asset",
                            "name",
                            "flow",
                            "channel",
                        ),
                        name="limit_usage_once",
                    ),
                    models.CheckConstraint(condition=models.Q(("used_minor__gte", 0)), name="limit_usage_not_negative"),
                ],
            },
        ),
    ]
