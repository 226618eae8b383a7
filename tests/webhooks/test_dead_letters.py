"""Dead letters of the relay: shown, resent by people, first of their aggregate again."""

import io
import json
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import transaction as db_transaction
from django.test import Client
from django.urls import reverse

from ledger.controls import clock, drains
from ledger.controls.refusals import NotFound
from ledger.models import QueuedEvent
from tests.console.conftest import person, signed_in
from tests.webhooks.edge import make_endpoint, queued, record_events
from webhooks import dead_letters, relay, routing
from webhooks.models import Delivery

__all__ = ["person", "signed_in"]

pytestmark = pytest.mark.usefixtures("database")


def kill_first() -> list[str]:
    """Let sequence 1 of an aggregate die; 2 passes, 3 is recorded afterwards and waits."""
    make_endpoint()
    references = record_events("ord_1", range(1, 3))

    def broken(event: routing.RelayedEvent) -> None:
        if event.sequence == 1:
            raise RuntimeError("no such pool")

    routing.listen("order.*", broken)
    try:
        with clock.use(clock.FixedClock(clock.now())) as fixed:
            assert isinstance(fixed, clock.FixedClock)
            for _ in range(relay.TRIES):
                drains.drain("relay")
                fixed.move_to(QueuedEvent.objects.get(sequence=1).available_at)
            drains.drain("relay")
    finally:
        routing.silence("order.*", broken)
    references += record_events("ord_1", range(3, 4))
    return references


def delivered() -> list[int]:
    return list(Delivery.objects.order_by("id").values_list("sequence", flat=True))


def test_resent_event_goes_before_those_of_its_aggregate_that_still_wait() -> None:
    references = kill_first()
    assert ([letter.reference for letter in dead_letters.waiting()], delivered()) == (references[:1], [2])
    assert dead_letters.waiting()[0].last_error == "RuntimeError: no such pool"
    with db_transaction.atomic():
        dead_letters.resend(reference=references[0], actor="user:olga", now=clock.now())
    drains.drain("relay")
    assert delivered() == [2, 1, 3]
    assert (queued(), dead_letters.waiting()) == ([], [])


def test_event_that_is_not_dead_is_not_resent() -> None:
    references = kill_first()
    before = list(QueuedEvent.objects.order_by("event_id").values())
    for reference in (references[1], references[2], "evt_none"):
        with pytest.raises(NotFound), db_transaction.atomic():
            dead_letters.resend(reference=reference, actor="user:olga", now=clock.now())
    assert list(QueuedEvent.objects.order_by("event_id").values()) == before


def test_command_lists_and_resends() -> None:
    references = kill_first()
    out = io.StringIO()
    call_command("dead_letters", stdout=out)
    assert json.loads(out.getvalue())["reference"] == references[0]
    with pytest.raises(CommandError, match="no dead letter"):
        call_command("dead_letters", resend="evt_none")
    again = io.StringIO()
    call_command("dead_letters", resend_all=True, stdout=again)
    assert again.getvalue().strip() == "1"
    assert dead_letters.waiting() == []


def test_ops_resend_through_the_dialog_and_others_may_not(
    signed_in: Callable[[str, str], Client], person: Callable[[str, str], User]
) -> None:
    references = kill_first()
    url = reverse("admin:operation", args=["resend-event"])
    assert signed_in("sam", "support").post(url, {"reference": references[0]}).status_code == 403
    client = signed_in("olga", "ops")
    assert references[0] in client.get(url).content.decode()
    assert len(dead_letters.waiting()) == 1
    assert "is passed on again" in client.post(url, {"reference": references[0]}).content.decode()
    assert dead_letters.waiting() == []
