"""Payout channels connected by people: a cap of ten lookups, secrets at rest encrypted, and what is off is said."""

import io
import json
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from psycopg import sql

from ledger.controls import clock
from wallets import gateway_terms, operators, sandbox_operator
from wallets.gateway_terms import NoChannel
from wallets.models import Gateway, Operator
from webhooks.models import Provider

pytestmark = pytest.mark.usefixtures("database")

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
OTHER = "whsec_QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY="
URL = "https://bank.example.com/v1"


def _run(*arguments: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("payout_channel", *arguments, stdout=out)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


@pytest.fixture
def house() -> Operator:
    return operators.create_operator(name="The house", slug="house", kind="house", now=clock.now())


def _given(channel: str = "bank_transfer", **changed: str) -> list[str]:
    options = {"url": URL, "secret": SECRET, "asset": "EUR", "environment": "live", **changed}
    return [channel, *(f"--{name.replace('_', '-')}={value}" for name, value in options.items())]


@pytest.mark.parametrize("channel", ["promptpay", "bank_transfer"])
def test_a_channel_is_connected_with_ten_lookups_and_serves_every_operator(channel: str, house: Operator) -> None:
    told = _run(*_given(channel))
    gateway = Gateway.objects.get()
    assert (gateway.operator, gateway.environment, gateway.channel) == (house, "live", channel)
    assert (gateway.requery_cap, gateway.adapter, gateway.base_url) == (10, f"http_{channel}", URL)
    assert gateway.secret == SECRET
    assert (told["created"], told["requery_cap"], told["inbox"]) == (True, 10, f"/v1/inbox/house-{channel}-live")
    assert told["inbox_secret"].startswith("whsec_")
    assert told["inbox_secret"] != SECRET, "what we send must not be good for sending to us"
    shop = operators.create_operator(name="Shop", slug="shop", kind="operator", now=clock.now())
    terms = gateway_terms.channel_terms(operator_id=shop.pk, environment="live", channel=channel)
    assert (terms.gateway_id, terms.wallet_asset) == (gateway.pk, "EUR")
    with pytest.raises(NoChannel):
        gateway_terms.channel_terms(operator_id=shop.pk, environment="test", channel=channel)


def test_its_secrets_are_at_rest_as_nobody_can_read_them(
    house: Operator, superuser_connection: psycopg.Connection[Any]
) -> None:
    told = _run(*_given())
    _run(*_given(secret=OTHER))
    kept = [
        str(row[0])
        for table in ("wallets_gateway", "webhooks_providersecret")
        for row in superuser_connection.execute(
            sql.SQL("SELECT secret FROM {}").format(sql.Identifier(table))
        ).fetchall()
    ]
    assert len(kept) == 2
    for secret in (SECRET, OTHER, told["inbox_secret"]):
        assert not [text for text in kept if secret[6:] in text]
    assert Gateway.objects.get().secret == OTHER


def test_connecting_again_changes_address_and_secret_and_leaves_what_people_set(house: Operator) -> None:
    _run(*_given())
    Gateway.objects.update(requery_cap=7, time_limit_ms=9_000)
    again = _run(*_given(url="https://moved.example.com", secret=OTHER))
    gateway = Gateway.objects.get()
    assert (gateway.base_url, gateway.secret) == ("https://moved.example.com", OTHER)
    assert (gateway.requery_cap, gateway.time_limit_ms, again["created"], again["requery_cap"]) == (7, 9_000, False, 7)
    assert "inbox_secret" not in again
    assert Provider.objects.count() == 1


def test_an_operators_own_goes_before_the_houses(house: Operator) -> None:
    shop = operators.create_operator(name="Shop", slug="shop", kind="operator", now=clock.now())
    _run(*_given())
    own = _run(*_given(operator="shop"))
    assert own["operator"] == "shop"
    terms = gateway_terms.channel_terms(operator_id=shop.pk, environment="live", channel="bank_transfer")
    assert Gateway.objects.get(pk=terms.gateway_id).operator == shop


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"url": "ftp://bank.example.com"}, "neither http nor https"),
        ({"url": "http://bank.example.com"}, "the live environment calls https alone"),
        ({"url": "https://user:word@bank.example.com"}, "holds credentials"),
        ({"secret": "s3cret"}, "whsec_ and the base64 of 24 to 64 bytes"),
        ({"secret": "whsec_c2VjcmV0"}, "whsec_ and the base64 of 24 to 64 bytes"),
        ({"asset": "XXX"}, "XXX"),
        ({"requery_cap": "0"}, "1 to 100 lookups"),
        ({"operator": "nobody"}, "There is no operator 'nobody'"),
        ({"environment": "prod"}, "prod"),
    ],
)
def test_what_is_off_is_said_and_nothing_is_connected(changed: dict[str, str], says: str, house: Operator) -> None:
    with pytest.raises(CommandError) as refused:
        _run(*_given(**changed))
    assert says in str(refused.value)
    assert SECRET not in str(refused.value)
    assert not Gateway.objects.exists()
    assert not Provider.objects.exists()


def test_another_channel_or_asset_is_refused(house: Operator) -> None:
    with pytest.raises(CommandError, match="Not one of: promptpay, bank_transfer"):
        _run(*_given("wallet"))
    _run(*_given())
    with pytest.raises(CommandError, match="pays out EUR; that never changes"):
        _run(*_given(asset="THB", secret=OTHER))
    assert Gateway.objects.get().secret == SECRET


def test_without_a_house_it_says_how_to_make_one() -> None:
    with pytest.raises(CommandError, match="There is no house yet"):
        _run(*_given())


def test_the_sandbox_connects_its_channels_through_the_same_door() -> None:
    sandbox_operator.load(now=clock.now())
    sandbox_operator.load(now=clock.now())
    rows = Gateway.objects.exclude(channel="wallet").order_by("channel")
    assert [(row.channel, row.requery_cap, row.adapter, row.wallet_asset) for row in rows] == [
        ("bank_transfer", 10, "http_bank_transfer", "EUR"),
        ("promptpay", 10, "http_promptpay", "THB"),
    ]
    assert Gateway.objects.get(channel="wallet").requery_cap == 3, "OpenPoly: three quick lookups"
