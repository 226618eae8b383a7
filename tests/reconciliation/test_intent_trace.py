"""One transfer traced from end to end by any of its ids, the packet that support hands over, and the console's pages."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse

from ledger.controls import clock
from ledger.models import Event, Posting
from orders.models import Intent
from reconciliation import intent_trace, packets, trace
from tests.console.conftest import person, signed_in
from tests.orders.conftest import fixed_clock, till
from tests.orders.till import Till
from tests.wallets.rules import fee, in_force, limit

pytestmark = pytest.mark.usefixtures("database")

__all__ = ["fixed_clock", "person", "signed_in", "till"]

SignIn = Callable[[str, str], Client]


def _settled(till: Till, partner: str = "shop-1") -> Intent:
    if partner == "shop-1":
        in_force(fee(asset="THB", phase="PRE", fixed_minor=500, vat_basis_points=700))
        in_force(limit("daily", asset="THB", cap_minor=1_000_000))
    alice, bob = till.wallet("alice", funds=1_000_000), till.wallet("bob")
    return Intent.objects.get(reference=till.pay(alice, bob, "1000.00", partner_reference=partner).reference)


IDS: dict[str, Callable[[Intent], str]] = {
    "intent": lambda intent: intent.reference,
    "partner reference": lambda intent: intent.partner_reference,
    "reference number": lambda intent: intent.reference_number,
    "ledger": lambda intent: Posting.objects.filter(transaction__subject=intent.reference)[0].reference,
    "ledger key": lambda intent: f"{intent.reference}:hold",
    "event": lambda intent: Event.objects.filter(aggregate=intent.reference)[0].reference,
}


@pytest.mark.parametrize("kind", IDS)
def test_intent_is_found_by_any_id_of_its_join_graph(kind: str, till: Till) -> None:
    intent = _settled(till)
    _settled(till, "shop-2")
    assert [found.reference for found in intent_trace.find_intents(f" {IDS[kind](intent)} ")] == [intent.reference]
    assert trace.find_orders(IDS[kind](intent)) == []


@pytest.mark.parametrize(
    "nothing", ["", "1000.00", "100000", "THB", "led_" + "0" * 32, "x" * 300, "a\0b", "%", "' OR 1=1"]
)
def test_nothing_is_found_by_an_amount_or_by_no_id(nothing: str, till: Till) -> None:
    _settled(till)
    assert intent_trace.find_intents(nothing) == []


def test_a_trace_walks_from_the_intent_to_its_postings_history_moves_and_events(till: Till) -> None:
    intent = _settled(till)
    traced = intent_trace.trace_of_intent(intent, inside=True)
    assert (traced["record"]["intent_id"], traced["record"]["latest_status"]) == (intent.reference, "SETTLED")
    assert [move["to"] for move in traced["moves"]] == ["created", "validated", "authorized", "settled"]
    assert [event["topic"] for event in traced["events"]][-1] == "intent.SETTLED"
    assert [entry["kind"] for entry in traced["history"]] == ["transfer_out", "transfer_in"]
    assert len(traced["ledger"]) == 8, "four lines pending, four posted"
    assert {entry["event_type"] for entry in traced["ledger"]} == {"TRANSFER_HOLD", "TRANSFER_SETTLE"}
    assert [usage["rule"] for usage in traced["limits"]] == ["daily"]
    booked = {entry["ledger_id"] for entry in traced["ledger"]}
    assert {entry["ledger_id"] for entry in traced["history"]} <= booked


def test_the_partners_view_names_no_account_no_staff_and_no_evidence(till: Till) -> None:
    intent = _settled(till)
    shown = json.dumps(intent_trace.trace_of_intent(intent, inside=False))
    for inside in ("revenue:", "transit:", "liabilities:", "users:", "op_", "evidence", "counter"):
        assert inside not in shown


def test_a_packet_is_the_trace_as_json_and_as_a_page(till: Till) -> None:
    intent = _settled(till)
    packed = packets.packet_of_intent(intent, now=clock.now())
    assert packed == packets.packet_of_intent(intent, now=clock.now())
    with zipfile.ZipFile(io.BytesIO(packed)) as packet:
        assert packet.namelist() == [f"{intent.reference}.json", f"{intent.reference}.html"]
        told = json.loads(packet.read(f"{intent.reference}.json"))
        page = packet.read(f"{intent.reference}.html").decode()
    assert told["record"]["reference_number"] == intent.reference_number
    assert intent.reference in page
    assert "1005.35" in page


def test_people_find_the_intent_and_open_its_page_queue_and_packet(till: Till, signed_in: SignIn) -> None:
    intent = _settled(till)
    alice, bob = till.wallet("alice"), till.wallet("bob")
    waiting = till.schedule(alice, bob, "5.00", at=clock.now() + timedelta(days=1))
    client = signed_in("sue", "support")
    found = client.get(reverse("admin:trace-search"), {"id": intent.reference_number})
    assert (found.status_code, found.headers["Location"]) == (
        302,
        reverse("admin:intent-page", args=[intent.reference]),
    )
    page = client.get(found.headers["Location"])
    assert page.status_code == 200
    shown = page.content.decode()
    for text in (
        intent.reference_number,
        "funds posted",
        "TRANSFER_SETTLE",
        "transfer_in",
        "1005.35",
        "fee v1",
        "daily v1",
    ):
        assert text in shown, text
    queue = client.get(reverse("admin:orders_intent_changelist") + "?state__exact=created&kind__exact=transfer")
    assert waiting.reference in queue.content.decode()
    assert intent.reference not in queue.content.decode()
    packet = client.get(reverse("admin:intent-packet", args=[intent.reference]))
    assert packet.headers["Content-Type"] == "application/zip"
    assert client.get(reverse("admin:intent-page", args=["int_nobody"])).status_code == 404
    assert signed_in("adam", "admin").get(reverse("admin:intent-page", args=[intent.reference])).status_code == 403
