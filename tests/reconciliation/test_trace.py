"""One order traced from end to end by any of its ids, and the packet that support hands over."""

import io
import json
import zipfile
from collections.abc import Callable

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.models import Event, Move, Posting
from orders.models import Order, ReviewCase, Trade
from orders.operations.freeze_order import freeze_order, lift_freeze
from reconciliation import packets, trace
from tests.orders.desk import Desk
from tests.orders.lanes import open_lanes
from tests.orders.wallet import lost_after, server_error
from wallets.models import RemoteAttempt, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")


def _settled(desk: Desk, partner: str = "shop-1") -> Order:
    order = desk.submit(desk.quote("100.00"), partner_order_id=partner)
    desk.drive(passes=2)
    drains.drain("relay")
    return Order.objects.get(pk=order.pk)


IDS: dict[str, Callable[[Order], str]] = {
    "order": lambda order: order.reference,
    "partner order": lambda order: order.partner_order_id,
    "quote": lambda order: order.quote_reference,
    "transact": lambda order: Trade.objects.get(order_reference=order.reference).reference,
    "ledger": lambda order: Posting.objects.filter(transaction__subject=order.reference)[0].reference,
    "ledger key": lambda order: Posting.objects.filter(transaction__subject=order.reference)[0].transaction.key,
    "event": lambda order: Event.objects.filter(aggregate=order.reference)[0].reference,
    "event of its trade": lambda order: Event.objects.filter(topic="trade.settled")[0].reference,
    "remote operation": lambda order: RemoteOperation.objects.get(owner=order.reference).reference,
    "remote key": lambda order: RemoteOperation.objects.get(owner=order.reference).key,
    "their reference": lambda order: RemoteOperation.objects.get(owner=order.reference).remote_ref,
    "request to the wallet": lambda order: RemoteAttempt.objects.get().request_id,
}


@pytest.mark.parametrize("kind", IDS)
def test_order_is_found_by_any_id_of_its_join_graph(kind: str, desk: Desk) -> None:
    order = _settled(desk)
    wanted = IDS[kind](order)
    _settled(desk, partner="shop-2") if kind != "request to the wallet" else None
    assert [found.reference for found in trace.find_orders(f" {wanted} ")] == [order.reference]


@pytest.mark.parametrize(
    "nothing", ["", "100.00", "10000", "EUR", "led_" + "0" * 32, "x" * 300, "a\0b", "%", "' OR 1=1"]
)
def test_nothing_is_found_by_an_amount_or_by_no_id(nothing: str, desk: Desk) -> None:
    _settled(desk)
    assert trace.find_orders(nothing) == []


def test_order_in_review_is_found_by_its_case(desk: Desk) -> None:
    desk.wallet.legs = {"debit": [lost_after, server_error]}
    order = desk.order()
    desk.drive(passes=12)
    case = ReviewCase.objects.get(subject=order.reference)
    assert [found.reference for found in trace.find_orders(case.reference)] == [order.reference]
    traced = trace.trace_of(Order.objects.get(), inside=True)
    assert [row["review_case_id"] for row in traced["review_cases"]] == [case.reference]
    assert [attempt["kind"] for attempt in traced["operations"][0]["attempts"]] == ["ask", "lookup", "lookup", "lookup"]


def test_trace_opens_with_the_two_records_of_the_seed(desk: Desk) -> None:
    order = _settled(desk)
    traced = trace.trace_of(order, inside=False)
    trade = Trade.objects.get()
    assert list(traced)[:2] == ["record", "product_record"]
    last = Event.objects.filter(public=True).order_by("recorded_at", "pk").last()
    assert last is not None
    assert list(traced["record"].items()) == [
        ("order_id", "shop-1"),
        ("environment", "test"),
        ("pool_id", "EUR-USDT"),
        ("quote_id", order.quote_reference),
        ("trade_id", trade.reference),
        ("idempotency_key", "shop-1:accept:v1"),
        ("latest_status", "settled"),
        ("ledger_ref", traced["ledger"][-1]["ledger_id"]),
        ("last_event_id", last.reference),
        ("last_request_id", order.request_id),
    ]
    assert list(traced["product_record"].items()) == [
        ("product_area", "reconcile-pool-movements"),
        ("partner_reference", "shop-1"),
        ("pool_id", "EUR-USDT"),
        ("quote_id", order.quote_reference),
        ("transact_id", trade.reference),
        ("status", "settled"),
        ("request_id", order.request_id),
        ("reconciliation_state", "open"),
    ]


def test_trace_joins_every_record_of_the_order(desk: Desk) -> None:
    order = _settled(desk)
    _settled(desk, partner="shop-2")
    traced = trace.trace_of(order, inside=True)
    mine = Posting.objects.filter(transaction__subject=order.reference)
    assert {entry["ledger_id"] for entry in traced["ledger"]} == {posting.reference for posting in mine}
    assert {entry["transact_id"] for entry in traced["ledger"]} == {traced["record"]["trade_id"]}
    subjects = {order.reference, order.quote_reference, traced["record"]["trade_id"]}
    subjects.add(RemoteOperation.objects.get(owner=order.reference).reference)
    assert len(traced["moves"]) == Move.objects.filter(subject__in=subjects).count() > 8
    assert len(traced["events"]) == Event.objects.filter(aggregate__in=subjects).count()


def test_packet_is_a_zip_of_json_and_a_page_without_anything_of_the_inside(desk: Desk) -> None:
    order = _settled(desk)
    packet = packets.packet_of(order, now=clock.now())
    assert packet == packets.packet_of(order, now=clock.now())
    with zipfile.ZipFile(io.BytesIO(packet)) as opened:
        assert opened.namelist() == [f"{order.reference}.json", f"{order.reference}.html"]
        text, page = (opened.read(name).decode() for name in opened.namelist())
    assert json.loads(text) == trace.trace_of(order, inside=False)
    assert order.partner_order_id in page
    for inside in (
        "pools:",
        "transit:",
        "operators:",
        "fx:",
        "scripted",
        "wallet.invalid",
        "whsec_",
        '"actor"',
        "saga",
    ):
        assert inside not in text, inside
        assert inside not in page, inside


def test_the_houses_own_packet_has_cases_and_freezes_too(desk: Desk) -> None:
    order = _settled(desk)
    with db_transaction.atomic():
        freeze_order(order_reference=order.reference, reason="a court asks", actor="user:lea", now=clock.now())
        lift_freeze(order_reference=order.reference, actor="user:ola", now=clock.now())
    packet = packets.packet_of(order, now=clock.now(), inside=True)
    with zipfile.ZipFile(io.BytesIO(packet)) as opened:
        text, page = (opened.read(name).decode() for name in opened.namelist())
    assert json.loads(text) == trace.trace_of(order, inside=True)
    (frozen,) = json.loads(text)["freezes"]
    assert (frozen["reason"], frozen["frozen_by"], frozen["lifted_by"]) == ("a court asks", "user:lea", "user:ola")
    assert "House packet" in page
    assert "a court asks" in page
    assert "freezes" not in trace.trace_of(order, inside=False)
    assert packets.name_of(order, inside=True) == f"house-packet-{order.reference}.zip"


def test_an_order_is_found_by_the_id_of_its_venues_price(desk: Desk) -> None:
    order = open_lanes(desk).order()
    assert [found.pk for found in trace.find_orders("vq-1")] == [order.pk]
