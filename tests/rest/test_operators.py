"""Operators and their keys, made on the command line and used at once."""

import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ledger.controls import clock
from ledger.controls.clock import FixedClock
from tests.rest.calls import QUOTE, Api
from wallets.models import Gateway, Operator, OperatorKey

_WALLET = ("--wallet-url", "http://wallet.invalid", "--wallet-secret", "whsec_" + "c2VjcmV0" * 4)


def test_an_operator_can_quote_when_it_was_made_by_commands(pools: None) -> None:
    told = json.loads(_run("operator", "shop", "--name", "Shop", *_WALLET))
    assert (told["slug"], told["kind"], told["created"]) == ("shop", "operator", True)
    api = Api(_run("operator_key", "shop").strip())
    assert api.post("/v1/quotes", QUOTE).status == 201
    assert told["operator"] == api.get("/v1/capabilities").json["operator_id"]


def test_nothing_is_made_twice_when_an_operator_is_there_already(database: None) -> None:
    first = json.loads(_run("operator", "shop", "--name", "Shop", *_WALLET))
    again = json.loads(_run("operator", "shop", "--wallet-url", "http://moved.invalid", *_WALLET[2:]))
    assert (again["operator"], again["created"]) == (first["operator"], False)
    assert Operator.objects.count() == 1
    assert Gateway.objects.get().base_url == "http://moved.invalid"


@pytest.mark.parametrize(
    "arguments",
    [
        ("operator", "new"),
        ("operator", "shop", "--kind", "house"),
        ("operator", "shop", "--wallet-url", "http://x.invalid"),
        ("operator", "shop", "--wallet-url", "http://x.invalid", "--wallet-secret", "whsec_c2VjcmV0"),
        ("operator", "shop", "--wallet-url", "http://x.invalid", "--wallet-secret", "whsec_no base64"),
        ("operator", "shop", *_WALLET, "--asset", "USD"),
        ("operator", "shop", *_WALLET, "--asset", "XXX"),
        ("operator_key", "nobody"),
        ("operator_key", "shop", "--scope", "everything"),
        ("operator_key", "shop", "--scope", "ledger"),
        ("operator_key", "shop", "--revoke", "4711"),
    ],
)
def test_a_command_refuses_when_it_makes_no_sense(database: None, arguments: tuple[str, ...]) -> None:
    _run("operator", "shop", "--name", "Shop", *_WALLET)
    with pytest.raises(CommandError):
        _run(*arguments)
    assert not OperatorKey.objects.exists()
    assert Operator.objects.count() == Gateway.objects.count() == 1


def test_a_house_has_its_scopes_when_its_key_is_made(database: None) -> None:
    _run("operator", "house", "--name", "House", "--kind", "house")
    api = Api(json.loads(_run("operator_key", "house", "--scope", "ledger", "--scope", "read", "--json"))["api_key"])
    assert api.get("/v1/capabilities").json["scopes"] == ["ledger", "read"]


def test_a_key_is_kept_as_its_hash_when_it_is_made(database: None) -> None:
    _run("operator", "shop", "--name", "Shop")
    secret = _run("operator_key", "shop", "--environment", "live").strip()
    row = OperatorKey.objects.values().get()
    assert secret.startswith("hf_live_")
    assert row["hint"] == secret[:12]
    assert secret not in json.dumps(row, default=str)
    assert secret[20:] not in json.dumps(row, default=str)


def test_a_key_opens_nothing_when_it_is_revoked(database: None) -> None:
    _run("operator", "shop", "--name", "Shop")
    made = json.loads(_run("operator_key", "shop", "--json"))
    api = Api(made["api_key"])
    assert api.get("/v1/pools").status == 200
    _run("operator_key", "shop", "--revoke", str(made["id"]))
    assert (api.get("/v1/pools").status, api.get("/v1/pools").code) == (401, "authentication_failed")
    (listed,) = _run("operator_key", "shop", "--list").splitlines()
    assert json.loads(listed)["revoked_at"] is not None
    assert made["api_key"] not in listed


def test_a_key_opens_nothing_when_it_has_expired(database: None) -> None:
    _run("operator", "shop", "--name", "Shop")
    api = Api(_run("operator_key", "shop", "--days", "1").strip())
    now = clock.now()
    with clock.use(FixedClock(now + timedelta(hours=23))):
        assert api.get("/v1/pools").status == 200
    with clock.use(FixedClock(now + timedelta(hours=25))):
        assert api.get("/v1/pools").status == 401


def test_a_keys_last_use_is_known_when_it_was_used(database: None) -> None:
    _run("operator", "shop", "--name", "Shop")
    api = Api(_run("operator_key", "shop").strip())
    with clock.use(FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, FixedClock)
        first = fixed.now()
        api.get("/v1/pools")
        fixed.move_to(first + timedelta(seconds=30))
        api.get("/v1/pools")
        assert OperatorKey.objects.get().last_used_at == first
        fixed.move_to(first + timedelta(seconds=90))
        api.get("/v1/pools")
        assert OperatorKey.objects.get().last_used_at == first + timedelta(seconds=90)


def _run(command: str, *arguments: Any) -> str:
    out = io.StringIO()
    call_command(command, *arguments, stdout=out)
    return out.getvalue()
