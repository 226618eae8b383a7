"""Pausing a wallet, a bank or a venue in the console: by an ops lead, with a reason and an end; shown where people look."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from ledger.controls import clock
from orders.venue_port import PoolUnavailable
from tests.orders.desk import Desk, reloaded
from tests.orders.lanes import open_lanes
from tests.orders.payouts import open_channels
from wallets import channels
from wallets.models import Breaker, Gateway, GatewayPause

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]
_PAUSE = {"gateway": "acme test", "hours": "2", "reason": "their maintenance"}


def _do(client: Client, name: str, form: dict[str, str]) -> str:
    return client.post(reverse("admin:operation", args=[name]), form).content.decode()


def test_ops_lead_pauses_a_wallet_and_lifts_it_and_everybody_sees_why(desk: Desk, signed_in: SignIn) -> None:
    client = signed_in("lena", "ops lead")
    assert "is not asked until" in _do(client, "pause-gateway", _PAUSE)
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
    assert "paused already" in _do(client, "pause-gateway", _PAUSE)

    assert "is asked again" in _do(client, "lift-pause", {"gateway": "acme test"})
    assert GatewayPause.objects.get().lifted_by == "user:lena"
    assert "held back" not in client.get(reverse("admin:index")).content.decode()
    assert "are not paused" in _do(client, "lift-pause", {"gateway": "acme test"})
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"


_ELSEWHERE = {"bank": "promptpay", "venue": "venue:north"}


@pytest.mark.parametrize("kind", _ELSEWHERE)
def test_ops_lead_pauses_a_bank_or_a_venue_and_lifts_it(kind: str, desk: Desk, signed_in: SignIn) -> None:
    """Only that one: the operators' wallets and the other channels are asked as before."""
    lanes = open_lanes(desk)
    open_channels()
    house = Gateway.objects.get(channel="promptpay").operator.slug
    channel = _ELSEWHERE[kind]
    named = {"gateway": f"{Gateway.objects.get(channel=channel).operator.slug} test {channel}"}
    order = lanes.order() if kind == "venue" else None
    client = signed_in("lena", "ops lead")
    dialog = client.get(reverse("admin:operation", args=["pause-gateway"])).content.decode()
    assert "Pause asks to a wallet, a bank or a venue" in dialog
    assert all(one in dialog for one in ("acme test", f"{house} test promptpay", "test venue:north"))
    told = _do(client, "pause-gateway", {**_PAUSE, **named})
    assert f"{channel} (test) is not asked until" in told
    assert list(Gateway.objects.filter(paused_until__isnull=False).values_list("channel", flat=True)) == [channel]
    assert "Asks to this gateway are paused already." in _do(client, "pause-gateway", {**_PAUSE, **named})
    home = client.get(reverse("admin:index")).content.decode()
    assert f", {channel} (test) is held back." in home
    paused, other = (Gateway.objects.get(channel=one).pk for one in (channel, "bank_transfer"))
    assert channels.terms_of(paused).held_back_for(clock.now()) is not None
    assert channels.terms_of(other).held_back_for(clock.now()) is None
    if order is not None:
        desk.drive(passes=2)
        assert reloaded(order).state == "processing"
        assert desk.wallet.calls == [], "the venue is not asked to reserve"
        with pytest.raises(PoolUnavailable):
            lanes.quote()
    assert "is asked again" in _do(client, "lift-pause", named)
    assert GatewayPause.objects.get().lifted_by == "user:lena"
    assert not Gateway.objects.filter(paused_until__isnull=False).exists()


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
    for name in ("pause-gateway", "lift-pause"):
        assert client.post(reverse("admin:operation", args=[name]), _PAUSE).status_code == 403
    assert Gateway.objects.get().paused_until is None
    assert not GatewayPause.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [{"hours": "0"}, {"hours": "721"}, {"hours": "-1"}, {"hours": "a"}, {"reason": ""}, {"gateway": "acme live"}],
    ids=str,
)
def test_a_pause_without_a_reason_or_an_end_is_refused(wrong: dict[str, str], desk: Desk, signed_in: SignIn) -> None:
    _do(signed_in("lena", "ops lead"), "pause-gateway", {**_PAUSE, **wrong})
    assert Gateway.objects.get().paused_until is None
    assert not GatewayPause.objects.exists()
    assert not LogEntry.objects.exists()


def test_a_get_pauses_nothing(desk: Desk, signed_in: SignIn) -> None:
    client = signed_in("lena", "ops lead")
    page = client.get(reverse("admin:operation", args=["pause-gateway"]), _PAUSE)
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
