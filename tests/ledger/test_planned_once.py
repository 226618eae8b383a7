"""The functions of the hot path ask for plans that are made once per connection (decision 75)."""

from typing import Any

import psycopg
import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.mark.parametrize(
    "name",
    [
        "ledger_post",
        "ledger_post_one",
        "ledger_seal",
        "ledger_lock_balances",
        "orders_lock_parties",
        "orders_write_settled",
        "orders_record_history",
        "webhooks_relay",
    ],
)
def test_its_plans_are_made_once(name: str, superuser_connection: psycopg.Connection[Any]) -> None:
    row = superuser_connection.execute(
        "SELECT proconfig FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND proname = %s", [name]
    ).fetchone()
    assert row is not None
    assert "plan_cache_mode=force_generic_plan" in (row[0] or [])
