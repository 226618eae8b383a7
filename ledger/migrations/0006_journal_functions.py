"""Put the journal's functions in the old ones' place, in a new database and an old one alike."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import function_grants
from ledger.controls.sql_files import run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"

# Their signatures differ from one state of the files to the next, so that replacing is not enough.
_DROP = """
DROP FUNCTION IF EXISTS ledger_post(smallint, jsonb, integer[], text[], text[], text[], numeric[], timestamptz);
DROP FUNCTION IF EXISTS ledger_post_list(smallint, jsonb, integer[], text[], text[], text[], numeric[], timestamptz);
DROP FUNCTION IF EXISTS ledger_post_one(smallint, jsonb, text, text, text, numeric, timestamptz);
DROP FUNCTION IF EXISTS ledger_unlock_period(smallint, date);
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_seals")]

    operations = [
        migrations.RunSQL(_DROP, migrations.RunSQL.noop),
        *(
            run_sql_file(_SQL / name, reverse=migrations.RunSQL.noop)
            for name in (
                "accounts.sql",
                "journal_repeat.sql",
                "journal_post_one.sql",
                "journal_post_list.sql",
                "journal_post.sql",
                "journal_fold.sql",
                "balance_locks.sql",
            )
        ),
        function_grants(
            [
                "ledger_open_accounts",
                "ledger_lock_period",
                "ledger_unlock_period",
                "ledger_share_period",
                "ledger_post",
                "ledger_expire",
                "ledger_fold",
                "ledger_lock_balances",
            ]
        ),
    ]
