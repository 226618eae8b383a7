"""Guard the moves of quotes, orders, trades and review cases; give the application its rights."""

from django.db import migrations

from ledger.controls.grants import APPEND, CHANGE, EVERY, grants
from ledger.controls.sql_files import append_only, guard_moves


class Migration(migrations.Migration):
    dependencies = [("orders", "0001_initial"), ("ledger", "0003_grants")]

    operations = [
        guard_moves("orders_quote", "quote"),
        guard_moves("orders_order", "order"),
        guard_moves("orders_trade", "trade"),
        guard_moves("orders_reviewcase", "review_case"),
        append_only("orders_reviewnote"),
        grants(
            {
                "orders_pool": CHANGE,
                "orders_poolhalt": CHANGE,
                "orders_quote": CHANGE,
                "orders_order": CHANGE,
                "orders_trade": CHANGE,
                "orders_sagarun": EVERY,
                "orders_freeze": CHANGE,
                "orders_reviewcase": CHANGE,
                "orders_reviewnote": APPEND,
                "orders_approvalthreshold": CHANGE,
            }
        ),
    ]
