"""What frees a partner reference is a column, so that no index names the state: an intent's moves write no index again.

Instant transfers are written with small versions of their rows, which lie on one page.
"""

from pathlib import Path

from django.db import migrations, models
from django.db.models import Case, F, Q, Value, When

from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


def _again(name: str) -> str:
    return (_SQL / name).read_text(encoding="utf-8").replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")


class Migration(migrations.Migration):
    dependencies = [("orders", "0192_history_of_house_postings")]

    operations = [
        migrations.RemoveConstraint(model_name="intent", name="intent_partner_reference_once"),
        migrations.AddField(
            model_name="intent",
            name="reference_freed_by",
            field=models.GeneratedField(
                db_persist=True,
                expression=Case(
                    When(authorized_at__isnull=True, state="failed", then=F("reference")), default=Value("")
                ),
                help_text="itself where it was refused before anything was held: its partner reference is free again",
                output_field=models.CharField(max_length=40),
            ),
        ),
        migrations.AddConstraint(
            model_name="intent",
            constraint=models.UniqueConstraint(
                condition=~Q(partner_reference=""),
                fields=("operator_id", "environment", "partner_reference", "reference_freed_by"),
                name="intent_partner_reference_once",
            ),
        ),
        migrations.RunSQL(
            "ALTER TABLE orders_intent SET (fillfactor = 15)", "ALTER TABLE orders_intent SET (fillfactor = 40)"
        ),
        run_sql_file(_SQL / "write_settled_in_place.sql", reverse=_again("write_settled.sql")),
        run_sql_file(_SQL / "lock_parties_by_reference.sql", reverse=_again("lock_parties.sql")),
    ]
