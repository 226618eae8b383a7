"""Guard the remote operation's moves; keep its attempts; give the application its rights."""

from django.db import migrations

from ledger.controls.grants import APPEND, CHANGE, grants
from ledger.controls.sql_files import append_only, guard_moves


class Migration(migrations.Migration):
    dependencies = [("wallets", "0001_initial"), ("ledger", "0003_grants")]

    operations = [
        guard_moves("wallets_remoteoperation", "remote_operation"),
        append_only("wallets_remoteattempt"),
        append_only("wallets_fxrate"),
        grants(
            {
                "wallets_operator": CHANGE,
                "wallets_operatorkey": CHANGE,
                "wallets_apirequest": APPEND,
                "wallets_gateway": CHANGE,
                "wallets_feerule": CHANGE,
                "wallets_fxrate": APPEND,
                "wallets_remoteoperation": CHANGE,
                "wallets_remoteattempt": APPEND,
            }
        ),
    ]
