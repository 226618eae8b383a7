"""Give the application its rights on the ground floor: the journal is read; functions write it."""

from django.db import migrations

from ledger.controls.grants import APPEND, CHANGE, EVERY, READ, function_grants, grants


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_journal")]

    operations = [
        grants(
            {
                "django_migrations": READ,
                "ledger_asset": READ,
                "ledger_book": READ,
                "legal_move": READ,
                "ledger_account": READ,
                "ledger_key": READ,
                "ledger_transaction": READ,
                "ledger_posting": READ,
                "ledger_hold": READ,
                "ledger_delta": READ,
                "ledger_period": READ,
                "ledger_balance": READ,
                "ledger_move": APPEND,
                "ledger_event": APPEND,
                "ledger_claim": CHANGE,
                "ledger_approval": CHANGE,
                "ledger_queuedevent": EVERY,
            }
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
            ]
        ),
    ]
