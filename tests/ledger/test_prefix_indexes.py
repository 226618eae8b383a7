"""The tables that grow with the business have no index that only serves searches by a text's beginning."""

import pytest
from django.db import connection

pytestmark = pytest.mark.usefixtures("database")

_GROW = (
    *("ledger_event", "ledger_archivedevent", "ledger_transaction", "ledger_key", "ledger_move", "ledger_posting"),
    *(
        "orders_intent",
        "orders_order",
        "orders_payin",
        "orders_payout",
        "orders_quote",
        "orders_return",
        "orders_trade",
    ),
    *(
        "orders_walletentry",
        "wallets_apirequest",
        "wallets_remoteoperation",
        "wallets_remoteattempt",
        "wallets_inquiry",
    ),
    *("webhooks_delivery", "webhooks_inboundevent", "webhooks_providertransaction"),
)


def test_only_a_remote_key_is_looked_for_by_its_beginning() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexdef LIKE '%%_pattern_ops%%'",
            [list(_GROW)],
        )
        found = cursor.fetchall()
    assert [table for table, _ in found] == ["wallets_remoteoperation"]
    assert "(key varchar_pattern_ops)" in found[0][1]
