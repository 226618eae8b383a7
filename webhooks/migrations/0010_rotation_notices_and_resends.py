"""Secrets that overlap in a rotation, notices of disabled endpoints, a second kind of endpoint, resends of many."""

import re
from pathlib import Path

from django.db import migrations, models

import ledger.controls.encrypted_field
from ledger.controls.grants import CHANGE, EVERY, function_grants, grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"
_FUNCTIONS = ["webhooks_claim_deliveries", "webhooks_judge_endpoints", "webhooks_resend"]


def _before(function: str) -> str:
    """Return the SQL that puts a function back as the migration before this one left it."""
    text = (_SQL / "deliveries.sql").read_text(encoding="utf-8")
    found = re.search(rf"CREATE FUNCTION {function}\(.*?^END \$\$;", text, re.DOTALL | re.MULTILINE)
    assert found is not None
    return f"DROP FUNCTION {function}; {found.group()}"


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0008_event_archive")]

    operations = [
        migrations.CreateModel(
            name="RetiredSecret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("endpoint_id", models.BigIntegerField(db_index=True)),
                (
                    "secret",
                    ledger.controls.encrypted_field.EncryptedField(
                        help_text="whsec_…; encrypted at rest; never shown, never logged"
                    ),
                ),
                ("retired_at", models.DateTimeField()),
                ("ends_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("operator_id", models.BigIntegerField()),
                ("endpoint_reference", models.CharField(db_index=True, max_length=40)),
                ("reason", models.CharField(max_length=200)),
                ("noticed_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
                ("settled_by", models.CharField(default="", max_length=150)),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("settled_at__isnull", True)), fields=["noticed_at"], name="notice_open"
                    )
                ],
            },
        ),
        migrations.AddField(
            model_name="endpoint",
            name="kind",
            field=models.CharField(choices=[("http", "Http"), ("sns", "Sns")], default="http", max_length=8),
        ),
        migrations.AlterField(model_name="endpoint", name="url", field=models.CharField(max_length=500)),
        grants({"webhooks_retiredsecret": EVERY, "webhooks_notice": CHANGE}),
        # Backwards the functions come back as they were, from the file of their first migration.
        run_sql_file(_SQL / "claim_with_rotation.sql", reverse=_before("webhooks_claim_deliveries")),
        run_sql_file(_SQL / "notices.sql", reverse=_before("webhooks_judge_endpoints")),
        run_sql_file(_SQL / "resend.sql", reverse="DROP FUNCTION webhooks_resend"),
        function_grants(_FUNCTIONS),
    ]
