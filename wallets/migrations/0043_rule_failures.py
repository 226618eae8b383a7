"""Count what a rule's condition could not answer."""

from django.db import migrations, models

from ledger.controls.grants import CHANGE, grants


class Migration(migrations.Migration):
    dependencies = [("wallets", "0042_rule_guards")]

    operations = [
        migrations.CreateModel(
            name="RuleFailure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("rule", models.CharField(help_text="the version's reference", max_length=40, unique=True)),
                ("code", models.CharField(max_length=60)),
                ("number", models.PositiveIntegerField()),
                ("reason", models.CharField(help_text="of the last one", max_length=100)),
                ("failures", models.PositiveIntegerField()),
                ("first_at", models.DateTimeField()),
                ("last_at", models.DateTimeField()),
            ],
        ),
        grants({"wallets_rulefailure": CHANGE}),
    ]
