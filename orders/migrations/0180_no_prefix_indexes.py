"""Orders, intents and what belongs to them are asked for by whole references."""

from django.db import migrations

from ledger.controls.prefix_indexes import without_prefix_indexes


class Migration(migrations.Migration):
    dependencies = [("orders", "0110_several_returns_of_a_payout")]

    operations = [
        without_prefix_indexes(
            "orders_intent",
            "orders_order",
            "orders_payin",
            "orders_payout",
            "orders_quote",
            "orders_return",
            "orders_trade",
            "orders_walletentry",
        )
    ]
