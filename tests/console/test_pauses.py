"""Pausing a wallet in the console: by an ops lead, with a reason and an end; shown where people look."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from ledger.controls import clock
from tests.orders.desk import Desk, reloaded
from wallets.models import Breaker, Gateway, GatewayPause

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]
_PAUSE = {"wallet": "acme test", "hours": "2", "reason": "their maintenance"}


def _do(client: Client, name: str, form: dict[str, str]) -> str:
    return client.post(reverse("admin:operation", args=[name]), form).content.decode()


def test_ops_lead_pauses_a_wallet_and_lifts_it_and_everybody_sees_why(desk: Desk, signed_in: SignIn) -> None:
    client = signed_in("lena", "ops lead")
    assert "is not asked until" in _do(client, "pause-wallet", _PAUSE)
    pause = GatewayPause.objects.get()
    assert (pause.reason, pause.paused_by) == ("their maintenance", "user:lena")
    assert pause.expires_at - pause.paused_at == timedelta(hours=2)
    assert Gateway.objects.get().paused_until == pause.expires_at
    assert LogEntry.objects.get().change_message == "their maintenance"
    order = desk.order()
    desk.drive(passes=2)
    assert desk.wallet.calls == []
    home = signed_in("susi", "support").get(reverse("admin:index")).content.decode()
    assert "Asking Acme (test) is held back." in home
    assert "Paused by lena until" in home
    assert "their maintenance. Lookups go on." in home
    assert "paused already" in _do(client, "pause-wallet", _PAUSE)

    assert "is asked again" in _do(client, "lift-pause", {"wallet": "acme test"})
    assert GatewayPause.objects.get().lifted_by == "user:lena"
    assert "held back" not in client.get(reverse("admin:index")).content.decode()
    assert "are not paused" in _do(client, "lift-pause", {"wallet": "acme test"})
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"


def test_home_says_when_a_wallet_does_not_answer(desk: Desk, signed_in: SignIn) -> None:
    now = clock.now()
    Breaker.objects.create(
        gateway=Gateway.objects.get(), failures=10, failing_since=now - timedelta(minutes=3), open_until=now
    )
    home = signed_in("olga", "ops").get(reverse("admin:index")).content.decode()
    assert "It has not answered 10 questions in a row, for 3 minutes." in home


@pytest.mark.parametrize("role", ["support", "ops", "finance", "finance lead", "auditor", "admin"])
def test_nobody_but_an_ops_lead_pauses_or_lifts(role: str, desk: Desk, signed_in: SignIn) -> None:
    client = signed_in("somebody", role)
    for name in ("pause-wallet", "lift-pause"):
        assert client.post(reverse("admin:operation", args=[name]), _PAUSE).status_code == 403
    assert Gateway.objects.get().paused_until is None
    assert not GatewayPause.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"hours": "0"}, {"hours": "721"}, {"hours": "-1"}, {"hours": "a"}, {"reason": ""}, {"wallet": "acme live"}],
    ids=str,
)
def test_a_pause_without_a_reason_or_an_end_is_refused(wrong: dict[str, str], desk: Desk, signed_in: SignIn) -> None:
    _do(signed_in("lena", "ops lead"), "pause-wallet", {**_PAUSE, **wrong})
    assert Gateway.objects.get().paused_until is None
    assert not GatewayPause.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_get_pauses_nothing(desk: Desk, signed_in: SignIn) -> None:
    client = signed_in("lena", "ops lead")
    page = client.get(reverse("admin:operation", args=["pause-wallet"]), _PAUSE)
    assert "acme test" in page.content.decode()
    assert not GatewayPause.objects.exists()


def test_capabilities_say_that_an_order_would_wait_and_name_no_gateway(desk: Desk) -> None:
    from orders.capabilities import capabilities

    now = desk.clock.now()
    Breaker.objects.create(gateway=Gateway.objects.get(), failures=10, open_until=now)
    (order,) = (one for one in capabilities(desk.caller)["actions"] if one["action"] == "order")
    assert (order["enabled"], order["code"]) == (False, "wallet_unreachable")
    Gateway.objects.update(paused_until=now + timedelta(hours=1), paused_reason="scripted is ill")
    (order,) = (one for one in capabilities(desk.caller)["actions"] if one["action"] == "order")
    assert (order["enabled"], order["code"]) == (False, "wallet_paused")
    assert "scripted" not in str(order)
