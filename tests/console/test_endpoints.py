"""Webhook endpoints in the console: the page, the dialogs, who may send them, the banner, and no secret anywhere."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from ledger.controls import clock, drains
from tests.webhooks.conftest import fixed_clock, receiver  # noqa: F401
from tests.webhooks.edge import make_endpoint, record_events
from tests.webhooks.receiver import Answer, Receiver
from wallets import operators
from webhooks import notices
from webhooks.models import Delivery, Endpoint, RetiredSecret

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]
_DIALOGS = {
    "ops": {"test-endpoint", "resend-events", "settle-notice"},
    "ops lead": {"test-endpoint", "resend-events", "settle-notice"},
    "auditor": set[str](),
    "admin": {"rotate-endpoint", "set-endpoint-topics", "enable-endpoint", "disable-endpoint"},
}


def page_of(endpoint: Endpoint) -> str:
    return reverse("admin:endpoint-page", args=[endpoint.reference])


def act(client: Client, name: str, **fields: str) -> str:
    """Send a dialog; return the page that answers."""
    answer = client.post(reverse("admin:operation", args=[name]), fields)
    assert answer.status_code == 200, answer.status_code
    return answer.content.decode()


@pytest.mark.parametrize("role", ["ops", "ops lead", "auditor", "admin", "support", "finance", "finance lead"])
def test_the_page_shows_each_role_its_dialogs(signed_in: SignIn, role: str) -> None:
    endpoint = make_endpoint()
    answer = signed_in("ada", role).get(page_of(endpoint))
    if role not in _DIALOGS:
        assert answer.status_code == 403
        return
    text = answer.content.decode()
    everything = set.union(*_DIALOGS.values())
    assert {name for name in everything if f'id="do-{name}"' in text} == _DIALOGS[role]
    assert endpoint.secret not in text


def test_a_dialog_of_another_role_is_refused_and_changes_nothing(signed_in: SignIn) -> None:
    endpoint = make_endpoint()
    for role in ("ops", "auditor", "support", "finance lead"):
        client = signed_in(role.replace(" ", ""), role)
        answer = client.post(reverse("admin:operation", args=["rotate-endpoint"]), {"reference": endpoint.reference})
        assert answer.status_code == 403
    client = signed_in("root", "admin")
    assert (
        client.post(reverse("admin:operation", args=["test-endpoint"]), {"reference": endpoint.reference}).status_code
        == 403
    )
    assert Endpoint.objects.get().secret == endpoint.secret
    assert Delivery.objects.count() == 0
    assert LogEntry.objects.count() == 0


def test_a_get_of_a_dialog_changes_nothing(signed_in: SignIn) -> None:
    endpoint = make_endpoint()
    client = signed_in("root", "admin")
    for name in _DIALOGS["admin"]:
        answer = client.get(reverse("admin:operation", args=[name]), {"reference": endpoint.reference, "reason": "x"})
        assert answer.status_code == 200
    row = Endpoint.objects.get()
    assert (row.secret, row.disabled_at) == (endpoint.secret, None)
    assert LogEntry.objects.count() == 0


def test_an_admin_creates_rotates_disables_and_enables(
    signed_in: SignIn,
    receiver: Receiver,  # noqa: F811
) -> None:
    operators.create_operator(name="Acme", slug="acme", kind="operator", now=clock.now())
    client = signed_in("root", "admin")
    told = act(
        client,
        "create-endpoint",
        slug="acme",
        environment="test",
        kind="http",
        url=receiver.url(),
        topics="order.*, trade.*",
    )
    endpoint = Endpoint.objects.get()
    assert endpoint.topics == ["order.*", "trade.*"]
    assert endpoint.secret in told.replace("&#x2B;", "+")
    told = act(client, "rotate-endpoint", reference=endpoint.reference, hours="2")
    rotated = Endpoint.objects.get()
    assert rotated.secret != endpoint.secret
    assert rotated.secret in told.replace("&#x2B;", "+")
    old = RetiredSecret.objects.get()
    assert (old.secret, old.ends_at - old.retired_at) == (endpoint.secret, timedelta(hours=2))
    act(client, "set-endpoint-topics", reference=endpoint.reference, topics="")
    assert Endpoint.objects.get().topics == []
    act(client, "disable-endpoint", reference=endpoint.reference, reason="their wish")
    assert Endpoint.objects.get().disabled_reason == "their wish"
    act(client, "enable-endpoint", reference=endpoint.reference)
    assert Endpoint.objects.get().disabled_at is None
    log = [entry.object_repr for entry in LogEntry.objects.order_by("pk")]
    assert log == [
        "Create a webhook endpoint",
        "Rotate an endpoint's secret",
        "Change an endpoint's topics",
        "Disable an endpoint",
        "Enable an endpoint",
    ]
    assert not any("whsec_" in f"{entry.change_message} {entry.object_id}" for entry in LogEntry.objects.all())
    assert rotated.secret not in client.get(page_of(endpoint)).content.decode()


def test_ops_resend_one_a_range_and_all_that_failed(
    signed_in: SignIn,
    receiver: Receiver,  # noqa: F811
) -> None:
    endpoint = make_endpoint(receiver.url())
    receiver.plan("/hook", Answer(410))
    made = record_events("ord_1", range(1, 4))
    drains.drain_all()
    client = signed_in("olga", "ops")
    text = client.get(reverse("admin:index")).content.decode()
    assert f"Webhook endpoint {endpoint.reference} is disabled" in text
    assert "the endpoint answered 410 Gone" in text
    act(signed_in("root", "admin"), "enable-endpoint", reference=endpoint.reference, since="2000-01-01 00:00")
    assert list(notices.open_notices()) == []
    drains.drain_all()
    assert [one.id for one in receiver.received] == [made[0], *made]
    assert "is disabled" not in client.get(reverse("admin:index")).content.decode()

    delivered = Delivery.objects.filter(state="delivered").order_by("pk").first()
    assert delivered is not None
    act(client, "resend-delivery", delivery=delivered.reference)
    drains.drain_all()
    told = act(
        client, "resend-events", reference=endpoint.reference, first=made[1], last=made[2], which="everything again"
    )
    assert "2 events are sent" in told
    drains.drain_all()
    assert [one.id for one in receiver.received[4:]] == [made[0], made[1], made[2]]
    assert "0 events are sent" in act(client, "resend-events", reference=endpoint.reference, since="2000-01-01")
    assert "0 events are sent" in act(
        client, "resend-events", reference=endpoint.reference, since="2000-01-01T00:00:00-23:00"
    )
    text = client.get(page_of(endpoint)).content.decode()
    assert "6 of 7" in text
    assert "410" in text


def test_what_is_off_is_a_message_and_no_crash(signed_in: SignIn) -> None:
    endpoint = make_endpoint()
    client = signed_in("root", "admin")
    act(client, "rotate-endpoint", reference=endpoint.reference, hours="ten")
    act(client, "rotate-endpoint", reference=endpoint.reference, hours="9999")
    act(client, "enable-endpoint", reference=endpoint.reference, since="yesterday")
    act(client, "enable-endpoint", reference=endpoint.reference, since="0001-01-01T00:00:00+14:00")
    act(client, "enable-endpoint", reference="ep_none")
    act(client, "disable-endpoint", reference=endpoint.reference)
    act(client, "create-endpoint", slug="nobody", url="https://hooks.example.com/")
    act(client, "set-endpoint-topics", reference=endpoint.reference, topics="order.nothing")
    row = Endpoint.objects.get()
    assert (row.secret, row.disabled_at, row.topics) == (endpoint.secret, None, [])
    ops = signed_in("olga", "ops")
    act(ops, "resend-delivery", delivery="dlv_none")
    act(ops, "resend-events", reference=endpoint.reference)
    assert Delivery.objects.count() == 0
    operators.create_operator(name="Acme", slug="acme", kind="operator", now=clock.now())
    for forged in ({"kind": "pigeon"}, {"environment": "prod"}, {"kind": "sns", "url": "https://hooks.example.com/"}):
        act(client, "create-endpoint", **{"slug": "acme", "url": "https://hooks.example.com/", **forged})
    assert Endpoint.objects.count() == 1
    assert client.get(reverse("admin:endpoint-page", args=["ep_none"])).status_code == 404
