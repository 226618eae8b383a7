"""What an instant transfer needs: its wallets locked in one call, its steps walked in one call; and the lists of intents.

An index that names the state would be written anew at each of a transfer's four steps: what is open has no end.
"""

from pathlib import Path

from django.db import migrations, models

from ledger.controls.grants import function_grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("orders", "0031_searched_columns")]

    operations = [
        migrations.RemoveIndex("intent", "intent_due"),
        migrations.RemoveIndex("intent", "intent_open"),
        migrations.AlterField("intent", "payer", models.CharField(help_text="the wallet that pays", max_length=40)),
        migrations.AlterField(
            "intent",
            "payee",
            models.CharField(default="", help_text="the wallet that is paid: transfers", max_length=40),
        ),
        migrations.AddIndex("intent", models.Index(fields=["payer", "-id"], name="intent_of_payer")),
        migrations.AddIndex(
            "intent",
            models.Index(fields=["payee", "-id"], condition=~models.Q(payee=""), name="intent_of_payee"),
        ),
        migrations.AddIndex(
            "intent",
            models.Index(
                fields=["scheduled_for"],
                condition=models.Q(scheduled_for__isnull=False, ended_at__isnull=True),
                name="intent_due",
            ),
        ),
        migrations.AddIndex(
            "intent",
            models.Index(fields=["updated_at"], condition=models.Q(ended_at__isnull=True), name="intent_open"),
        ),
        *(
            migrations.AddIndex("intent", models.Index(fields=[field], condition=~models.Q(**{field: ""}), name=name))
            for field, name in (
                ("reference_number", "intent_number"),
                ("lookup_ref", "intent_lookup"),
                ("response_id", "intent_response"),
            )
        ),
        migrations.RunSQL(  # room on the page for a transfer's four versions: its indexes are written once
            "ALTER TABLE orders_intent SET (fillfactor = 40)", "ALTER TABLE orders_intent RESET (fillfactor)"
        ),
        run_sql_file(_SQL / "lock_parties.sql", reverse="DROP FUNCTION orders_lock_parties(text, bigint, text[])"),
        run_sql_file(
            _SQL / "walk_intents.sql",
            reverse="DROP FUNCTION orders_walk_intents",
        ),
        function_grants(["orders_lock_parties", "orders_walk_intents"]),
    ]
