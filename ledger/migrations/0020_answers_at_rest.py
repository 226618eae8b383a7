"""Encrypt the kept answers that show a secret, and let them be encrypted again with a newer key."""

from pathlib import Path
from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from ledger.controls.kept_answers import to_keep
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


def _encrypt(apps: Any, schema_editor: BaseDatabaseSchemaEditor) -> None:
    """Answered claims are guarded against every change: the owner of the table steps around the guard, here alone."""
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("ALTER TABLE ledger_claim DISABLE TRIGGER answered_once")
        cursor.execute(
            "SELECT id, answer_body FROM ledger_claim WHERE route LIKE '%%webhook-endpoints%%'"
            " AND answer_body IS NOT NULL AND substr(answer_body, 1, 5) <> 'enc1:'::bytea"
        )
        for row, body in cursor.fetchall():
            if (kept := to_keep(bytes(body))) != bytes(body):
                cursor.execute("UPDATE ledger_claim SET answer_body = %s WHERE id = %s", [kept, row])
        cursor.execute("ALTER TABLE ledger_claim ENABLE TRIGGER answered_once")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_grants")]

    operations = [
        # Backwards the guard stays as it is: it refuses all that the first one refuses but a renewed encryption.
        run_sql_file(_SQL / "claims_renewed.sql", reverse=migrations.RunSQL.noop),
        # Backwards the answers stay encrypted: the code that is older than this cannot replay them, and they expire never.
        migrations.RunPython(_encrypt, migrations.RunPython.noop),
    ]
