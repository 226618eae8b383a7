"""Runtime discovery: what a key can do now."""

import json

import pytest
from django.test import Client

from ledger.controls import clock
from orders.models import Pool, PoolHalt
from tests.orders.desk import Desk
from wallets import operators
from wallets.models import Operator

pytestmark = pytest.mark.usefixtures("database")


def test_capabilities_say_what_is_enabled_and_why_not(desk: Desk) -> None:
    operator = Operator.objects.get(slug="acme")
    issued = operators.issue_key(
        operator=operator, environment="test", label="t", scopes=["quotes", "read"], created_by="t", now=clock.now()
    )

    def ask() -> dict[str, dict[str, object]]:
        answer = Client().get("/v1/capabilities", headers={"Authorization": f"Bearer {issued.secret}"})
        assert answer.status_code == 200
        body = json.loads(answer.content)
        assert body["environment"] == "test"
        assert body["wallet_asset"] == "EUR"
        assert {"code": "USDT", "scale": 6} in body["assets"]
        return {action["action"]: action for action in body["actions"]}

    actions = ask()
    assert actions["quote"]["enabled"] is True
    assert actions["order"]["enabled"] is False
    assert "orders" in str(actions["order"]["why_not"])

    for pool in Pool.objects.all():
        PoolHalt.objects.create(pool=pool, reason="x", halted_by="user:lead", halted_at=clock.now())
    assert ask()["quote"]["why_not"] == "No pool is open."
