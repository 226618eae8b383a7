"""Guard the rules' moves and words, and give the application its rights."""

from pathlib import Path

from django.db import migrations, models

from ledger.controls.grants import CHANGE, grants
from ledger.controls.sql_files import guard_moves, run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("wallets", "0041_rules_that_stood")]

    operations = [
        migrations.AlterField(
            model_name="feerule", name="reference", field=models.CharField(max_length=40, unique=True)
        ),
        migrations.AlterField(model_name="feerule", name="made_by", field=models.CharField(max_length=150)),
        migrations.AlterField(
            model_name="feerule",
            name="code",
            field=models.CharField(help_text="the rule, in all its versions", max_length=60),
        ),
        migrations.AlterField(model_name="feerule", name="created_at", field=models.DateTimeField()),
        migrations.AlterField(model_name="feerule", name="updated_at", field=models.DateTimeField()),
        migrations.AddConstraint(
            model_name="feerule",
            constraint=models.UniqueConstraint(fields=("environment", "code", "number"), name="fee_rule_number_once"),
        ),
        migrations.AddConstraint(
            model_name="feerule",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "active")), fields=("environment", "code"), name="fee_rule_one_active"
            ),
        ),
        migrations.AddIndex(
            model_name="feerule",
            index=models.Index(
                condition=models.Q(("state", "active")),
                fields=["environment", "flow", "asset"],
                name="fee_rule_standing",
            ),
        ),
        guard_moves("wallets_feerule", "fee_rule"),
        guard_moves("wallets_limitrule", "limit_rule"),
        run_sql_file(_SQL / "rules.sql", reverse="DROP FUNCTION guard_rule() CASCADE"),
        grants({"wallets_feerule": CHANGE, "wallets_limitrule": CHANGE, "wallets_limitusage": CHANGE}),
    ]
