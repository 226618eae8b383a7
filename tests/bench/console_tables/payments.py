"""Transfers and payouts, their wallets' histories and limits, and what was paid in."""

from collections.abc import Iterator

from tests.bench.console_tables.made import ENDED, MANY, WALLETS, Rows, stateful


def rows() -> Iterator[Rows]:
    wallet = f"'wal_' || lpad((1 + n % {WALLETS})::text, 26, '0')"
    money = {"asset": "'EUR'", "amount_minor": "2500"}
    yield Rows(
        "wallets_wallet",
        f"filled WHERE n <= {WALLETS}",
        {"reference": "'wal_' || id", "environment": "'test'", "operator_id": "1 + n % 2", "kind": "'user'"}
        | {"user_reference": "'user' || n", "closed_at": "CASE WHEN n % 50 = 0 THEN at END"}
        | {"moved_after_close_at": "CASE WHEN n % 50 = 0 THEN at END"},
    )
    yield Rows(
        "wallets_walletasset",
        "filled JOIN (SELECT id AS wallet, reference FROM wallets_wallet) AS w ON reference = 'wal_' || id",
        {"wallet_id": "wallet", "asset": "'EUR'"},
    )
    yield Rows(
        "wallets_walletfreeze",
        f"filled JOIN (SELECT id AS wallet, reference FROM wallets_wallet) AS w ON reference = 'wal_' || id WHERE n <= {MANY}",
        {"wallet_id": "wallet", "reason": "'stolen phone'", "frozen_by": "'user:lena'", "frozen_at": "at"},
    )
    yield Rows(
        "wallets_limitusage",
        "filled WHERE n % 8 = 0",
        {
            "environment": "'test'",
            "operator_id": "1 + n % 2",
            "name": "'daily' || n",
            "flow": "'transfer'",
            "wallet": wallet,
        }
        | {"asset": "'EUR'", "used_minor": "2500"},
    )
    intent = "CASE WHEN state = 'processed' THEN 'settled' WHEN state IN ('failed', 'compensated') THEN 'failed' "
    intent += "WHEN state = 'manual_review' AND n % 4 = 0 THEN 'manual_review' WHEN n % 4 = 0 THEN 'authorized' "
    intent += "ELSE 'created' END"
    yield Rows(
        "orders_intent",
        "filled WHERE n % 2 = 0",
        stateful("int", intent, kind="CASE n % 4 WHEN 0 THEN 'payout' ELSE 'transfer' END", payer=wallet, **money)
        | {"channel": "CASE n % 4 WHEN 0 THEN 'promptpay' ELSE 'internal' END", "partner_reference": "'pay-' || n"}
        | {"payee": f"CASE n % 4 WHEN 0 THEN '' ELSE {wallet} END", "fee_items": "'[]'", "usages": "'[]'"}
        | {
            "request_id": "'rqi_' || id",
            "reference_number": "CASE WHEN state = 'processed' THEN 'HF' || id ELSE '' END",
            "debit_minor": "2500",
            "credit_minor": "2500",
        }
        | {"scheduled_for": "CASE n % 4 WHEN 2 THEN at END", "ended_at": f"CASE WHEN {ENDED} THEN at END"},
    )
    yield Rows(
        "orders_payout",
        "filled WHERE n % 4 = 0",
        stateful(
            "pay",
            f"CASE WHEN {ENDED} THEN 'complete' WHEN state = 'manual_review' THEN 'manual_review'"
            " WHEN n % 8 = 0 THEN 'dead_letter' ELSE 'waiting' END",
            intent_reference="'int_' || id",
            gateway_id="1",
            **money,
        )
        | {"ended_at": f"CASE WHEN {ENDED} THEN at END"},
    )
    yield Rows(
        "orders_walletentry",
        "filled WHERE n % 2 = 0",
        {
            "wallet": wallet,
            "environment": "'test'",
            "operator_id": "1",
            "subject": "'int_' || id",
            "kind": "'transfer_out'",
        }
        | {**money, "posted_minor": "7500"},
    )
    yield Rows(
        "orders_payin",
        "filled WHERE n % 8 = 0",
        stateful("pin", "'booked'", kind="'collected'", wallet=wallet, provider_id="1", provider_code="'acme'")
        | {
            "provider_transaction": "'ptx-' || n",
            "inbound_event": "'inb_' || id",
            "asset": "'EUR'",
            "gross_minor": "2500",
        }
        | {"collection": "'ptx-' || n", "fee_minor": "25", "fee_items": "'[]'"},
    )
