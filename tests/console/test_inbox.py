"""The inbox in the console: what an event did, replay, providers; secrets shown once and nowhere else."""

import base64
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from ledger.controls import clock, drains
from ledger.models import Move
from tests.webhooks.provider import Sender, event, make_sender
from webhooks import inbox_worker, routing
from webhooks.models import InboundEvent, Provider, ProviderSecret
from webhooks.routing import Parked

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]
PLANTED = "whsec_" + base64.b64encode(b"zqmarker planted in every place").decode()


def page_of(row: InboundEvent) -> str:
    return reverse("admin:webhooks_inboundevent_change", args=[row.pk])


def dead_event(sender: Sender) -> InboundEvent:
    sender.send(kind="transfer.never")
    with clock.use(clock.FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, clock.FixedClock)
        routing.handle("transfer.never", lambda _: Parked("never here"))
        try:
            for _ in range(inbox_worker.TRIES):
                drains.drain("inbox")
                fixed.move_to(max(fixed.now(), event().available_at))
        finally:
            routing.unhandle("transfer.never")
    assert event().state == "dead"
    return event()


def test_page_says_why_an_event_was_ignored_and_shows_no_secret(signed_in: SignIn) -> None:
    sender = make_sender()
    data: dict[str, object] = {"transact_id": "trd_1", "note": f"see {PLANTED}", "password": "hunter2"}
    sender.send(kind="marketing.hello", data=data)
    drains.drain("inbox")
    client = signed_in("olga", "ops")
    listed = client.get(reverse("admin:webhooks_inboundevent_changelist")).content.decode()
    shown = client.get(page_of(event())).content.decode()
    for text in (listed, shown):
        assert "nobody here handles marketing.hello" in text
        assert PLANTED not in text
        assert "hunter2" not in text
    assert "trd_1" in shown
    assert event().payload_reference in shown
    assert "only a dead event is replayed" in shown


def test_dead_event_is_replayed_by_ops_through_its_dialog(signed_in: SignIn) -> None:
    row = dead_event(make_sender())
    client = signed_in("olga", "ops")
    url = reverse("admin:operation", args=["replay-inbound"])
    assert url in client.get(page_of(row)).content.decode()
    assert row.reference in client.get(url).content.decode()
    assert event().state == "dead", "a GET changed something"
    assert f"{row.reference} is judged again" in client.post(url, {"reference": row.reference}).content.decode()
    assert event().state == "received"
    assert Move.objects.get(subject=row.reference, to_state="received", from_state="dead").actor == "user:olga"
    assert LogEntry.objects.get().object_id == row.reference
    assert "is not possible" in client.post(url, {"reference": row.reference}).content.decode()


@pytest.mark.parametrize("role", ["support", "finance", "finance lead", "auditor", "admin"])
def test_others_may_not_replay(role: str, signed_in: SignIn) -> None:
    row = dead_event(make_sender())
    client = signed_in("somebody", role)
    url = reverse("admin:operation", args=["replay-inbound"])
    assert client.post(url, {"reference": row.reference}).status_code == 403
    assert event().state == "dead"


def test_a_refused_form_keeps_what_was_typed_but_no_secret(signed_in: SignIn) -> None:
    client, url = signed_in("ada", "admin"), reverse("admin:operation", args=["create-provider"])
    typed = {"provider": "acme", "environment": "live", "slug": "(the house)", "scheme": "hmac-sha256-hex"}
    given = typed | {"secret": "chosen by them 42", "signature_header": "X-Sig", "kinds": "payin.*"}
    refused = client.post(url, given).content.decode()
    assert "This scheme needs" in refused
    for name, value in {"provider": "acme", "signature_header": "X-Sig", "kinds": "payin.*"}.items():
        assert f'<input name="{name}" value="{value}"' in refused
    assert "<option selected>live</option>" in refused
    assert "chosen by them 42" not in refused
    done = client.post(url, given | {"event_id": "id"}).content.decode()
    assert "It sends to /v1/inbox/acme" in done
    assert 'value="X-Sig"' not in done, "the next one is another"


def test_provider_is_created_rotated_and_disabled_by_an_admin(signed_in: SignIn) -> None:
    client = signed_in("ada", "admin")

    def do(name: str, **form: str) -> str:
        return client.post(reverse("admin:operation", args=[name]), form).content.decode()

    given = {"provider": "acme", "environment": "test", "slug": "(the house)", "scheme": "standard-webhooks"}
    assert "Say which kinds of news it may bring" in do("create-provider", **given)
    assert "A field is name=path" in do("create-provider", **given, kinds="payin.*", fields="amount")
    made = do("create-provider", **given, kinds="payin.* trade.settled", fields="amount=object.sum, asset=object.cur")
    assert Provider.objects.get().mapping["fields"] == {"amount": "object.sum", "asset": "object.cur"}
    assert Provider.objects.get().kinds == ["payin.*", "trade.settled"]
    assert "acme may bring payin.*, payout.updated from now on; all else is parked" in do(
        "allow-provider", provider="acme", kinds="payout.updated, payin.*"
    )
    assert "Say which kinds of news it may bring" in do("allow-provider", provider="acme", kinds=" ")
    assert Provider.objects.get().kinds == ["payin.*", "payout.updated"]
    page = client.get(reverse("admin:webhooks_provider_changelist")).content.decode()
    assert "payin.*, payout.updated" in page
    first = ProviderSecret.objects.get().secret
    assert first in made
    rotated = do("rotate-provider", provider="acme", hours="2")
    older, newer = ProviderSecret.objects.order_by("pk")
    assert newer.secret in rotated
    assert older.expires_at is not None
    assert older.expires_at - newer.created_at == timedelta(hours=2)
    page = client.get(reverse("admin:webhooks_provider_change", args=[Provider.objects.get().pk])).content.decode()
    assert f"until {older.expires_at:%Y-%m-%d %H:%M} UTC" in page
    assert reverse("admin:operation", args=["allow-provider"]) + "?provider=acme" in page
    link = reverse("admin:operation", args=["rotate-provider"]) + "?provider=acme"
    assert link in page
    assert "<option selected>acme</option>" in client.get(link).content.decode()
    assert "whole number" in do("rotate-provider", provider="acme", hours="-1")
    assert ProviderSecret.objects.count() == 2
    assert "A reason is needed" in do("disable-provider", provider="acme")
    assert Provider.objects.get().disabled_at is None
    do("disable-provider", provider="acme", reason="leaked")
    assert Provider.objects.get().disabled_reason == "leaked"
    do("enable-provider", provider="acme")
    assert Provider.objects.get().disabled_at is None
    assert [entry.object_id for entry in LogEntry.objects.order_by("pk")] == ["acme"] * 5
    assert all(
        secret.secret not in entry.change_message for entry in LogEntry.objects.all() for secret in (older, newer)
    )


@pytest.mark.parametrize("role", ["support", "ops", "ops lead", "finance", "auditor"])
def test_nobody_else_makes_providers(role: str, signed_in: SignIn) -> None:
    url = reverse("admin:operation", args=["create-provider"])
    form = {"provider": "acme", "scheme": "standard-webhooks"}
    assert signed_in("somebody", role).post(url, form).status_code == 403
    assert Provider.objects.count() == 0
