"""What was given up stands on the home page until it is done, and its page says how to do it."""

from collections.abc import Callable

import pytest
from django.db import transaction as db_transaction
from django.test import Client
from django.urls import reverse

from ledger.controls import clock, drains
from ledger.models import QueuedEvent
from tests.webhooks.conftest import receiver  # noqa: F401
from tests.webhooks.edge import make_endpoint, mine, record_events
from tests.webhooks.receiver import Answer, Receiver
from tests.webhooks.test_dead_letters import kill_first
from webhooks import dead_letters, endpoints, given_up, resends
from webhooks.models import Delivery
from webhooks.resends import Selection

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]


def tiles(client: Client) -> dict[str, tuple[int, bool, str]]:
    """Return count, alarm and link of each tile of the home page."""
    context = client.get(reverse("admin:index")).context
    return {tile.title: (tile.count, tile.alarming, tile.url) for tile in context["tiles"]}


def test_a_dead_delivery_alarms_until_its_event_is_on_its_way_again(
    signed_in: SignIn,
    receiver: Receiver,  # noqa: F811
) -> None:
    endpoint = make_endpoint(receiver.url())
    other = make_endpoint(receiver.url("/other"))
    receiver.plan("/hook", Answer(410, body=b"moved away"))
    receiver.plan("/other", Answer(410))
    made = record_events("ord_1", range(1, 3))
    drains.drain_all()
    client = signed_in("olga", "ops")
    count, alarming, link = tiles(client)["Dead deliveries"]
    assert (count, alarming) == (4, True)
    shown = client.get(link).content.decode()
    assert {row.reference for row in Delivery.objects.all() if row.reference in shown} == set(
        Delivery.objects.values_list("reference", flat=True)
    )

    first = Delivery.objects.get(endpoint_id=endpoint.pk, event_reference=made[0])
    page = client.get(reverse("admin:webhooks_delivery_change", args=[first.pk])).content.decode()
    for said in (endpoint.reference, "answered 410", "moved away", f"?delivery={first.reference}"):
        assert said in page
    assert endpoint.secret not in page

    with db_transaction.atomic():
        endpoints.enable(**mine(endpoint), actor="user:ada", now=clock.now())
        resends.resend(**mine(endpoint), selection=Selection(first=made[0]), actor="user:ada", now=clock.now())
    assert set(given_up.left_to_do().values_list("endpoint_id", flat=True)) == {other.pk}, "those of the other stay"
    drains.drain_all()
    count, alarming, link = tiles(client)["Dead deliveries"]
    assert (count, alarming) == (2, True)
    assert first.reference not in client.get(link).content.decode()
    assert first.reference in client.get(reverse("admin:webhooks_delivery_changelist")).content.decode()


def test_a_dead_letter_of_the_relay_alarms_and_all_are_resent_by_a_dialog(signed_in: SignIn) -> None:
    client = signed_in("olga", "ops")
    assert tiles(client)["Outbox dead letters"][:2] == (0, False)
    references = kill_first()
    count, alarming, link = tiles(client)["Outbox dead letters"]
    assert (count, alarming) == (1, True)
    waiting, _, waits = tiles(client)["Outbox"]
    assert waiting == 1
    assert (references[0] in client.get(link).content.decode(), references[2] in client.get(link).content.decode()) == (
        True,
        False,
    )
    assert references[0] not in client.get(waits).content.decode()
    row = QueuedEvent.objects.get(dead_at__isnull=False)
    page = client.get(reverse("admin:ledger_queuedevent_change", args=[row.pk])).content.decode()
    assert f"?reference={references[0]}" in page

    url = reverse("admin:operation", args=["resend-all-events"])
    for role in ("support", "finance", "auditor", "admin"):
        assert signed_in(role, role).post(url).status_code == 403
    assert len(dead_letters.waiting()) == 1
    assert "1 dead letters are passed on again." in client.post(url).content.decode()
    assert tiles(client)["Outbox dead letters"][:2] == (0, False)


def test_dead_letters_are_resent_so_many_at_once_the_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    references = record_events("ord_1", range(1, 6))
    QueuedEvent.objects.update(dead_at=clock.now())
    monkeypatch.setattr(dead_letters, "MOST", 3)
    with db_transaction.atomic():
        assert dead_letters.resend_all(actor="user:olga", now=clock.now()) == 3
    assert [letter.reference for letter in dead_letters.waiting()] == references[3:]
