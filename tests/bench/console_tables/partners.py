"""Operators with their keys, gateways and rules; venues, pools and markets."""

from collections.abc import Iterator

from tests.bench.console_tables.made import MANY, Rows, stateful


def rows() -> Iterator[Rows]:
    at = {"environment": "'test'"}
    yield Rows(
        "wallets_operator",
        "few",
        {
            "id": "1000 + n",
            "reference": "'op_' || id",
            "name": "'Shop ' || n",
            "slug": "'shop' || n",
            "kind": "'operator'",
        }
        | {"zone": "'UTC'"},
    )
    yield Rows(
        "wallets_operatorkey",
        "few",
        {"operator_id": "1000 + n", "label": "'server'", "hint": "'hf_test_' || n", "key_hash": "md5(id)", **at}
        | {"scopes": "'[]'"},
    )
    yield Rows(
        "wallets_gateway",
        "few",
        {"id": "1000 + n", "operator_id": "1000 + n", "channel": "'wallet'", "base_url": "'https://shop.example'", **at}
        | {
            "wallet_asset": "'EUR'",
            "requery_cap": "3",
            "concurrency": "4",
            "inquiry_concurrency": "6",
            "breaker_failures": "5",
            "paused_until": "CASE n WHEN 1 THEN now() + interval '1 day' END",
        },
    )
    yield Rows(
        "wallets_gatewaypause",
        "few",
        {"gateway_id": "1000 + n", "reason": "'they asked'", "paused_by": "'user:lena'"}
        | {"expires_at": "now() + interval '1 day'", "lifted_at": "CASE WHEN n > 1 THEN at END"},
    )
    yield Rows(
        "wallets_inquiry",
        "filled WHERE n % 10 = 0",
        {"gateway_id": f"1001 + n % {MANY}", "kind": "'price'", "subject": "'EUR-USDT'", "request_id": "'req_' || id"}
        | {
            "started_at": "at",
            "duration_ms": "40",
            "http_status": "200",
            "outcome": "'answered'",
            "detail": "'quo_' || n",
        },
    )
    yield Rows(
        "wallets_breaker",
        "few",
        {"gateway_id": "1000 + n", "failures": "5", "failing_since": "at", "opened_at": "at"}
        | {"open_until": "CASE n WHEN 2 THEN now() + interval '1 minute' END"},
    )
    yield Rows(
        "wallets_fxrate", "few", {"base_asset": "'EUR'", "quote_asset": "'USD'", "rate": "1.1", "source": "'ecb'"}
    )
    rule = {"code": "'rule' || n", "name": "'Rule ' || n", "flow": "'transfer'", "asset": "'EUR'", "number": "1"}
    state = "CASE n % 4 WHEN 0 THEN 'draft' WHEN 1 THEN 'retired' ELSE 'active' END"
    made = {"made_by": "'user:fred'", "operator_id": "NULL"}
    yield Rows("wallets_feerule", "few", stateful("fee", state, phase="'POST'", tiers="'[]'") | rule | made)
    yield Rows(
        "wallets_limitrule",
        "few",
        stateful("lim", state, scope="'wallet'", period="'day'", cap_minor="100000") | rule | made,
    )
    yield Rows("orders_venue", "few", {"id": "1000 + n", "code": "'venue' || n", "gateway_id": "1000 + n", **at})
    yield Rows(
        "orders_pool",
        "few",
        {
            "id": "1000 + n",
            "code": "'POOL-' || n",
            "kind": "'outside'",
            "venue_id": "1000 + n",
            "cash_asset": "'EUR'",
            **at,
        }
        | {"position_asset": "'USDT'", "minimum_minor": "1", "maximum_minor": "1000000"},
    )
    yield Rows(
        "orders_poolhalt",
        "few",
        {"pool_id": "1000 + n", "reason": "'maintenance'", "halted_by": "'user:lena'", "lifted_at": "at"},
    )
    yield Rows(
        "orders_market",
        "few",
        stateful("mkt", "'open'", code="'RAIN-' || n", question="'Will it rain?'", cash_asset="'EUR'", price_yes="0.5"),
    )
