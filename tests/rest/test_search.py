"""One order and one payout are found by every id that came in, went out or was made on their way; what came in is traced."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date

import pytest
from django.db import transaction as db_transaction
from django.test import Client

from ledger.controls import clock, drains
from ledger.controls.moves import Birth, Why, move
from orders import payout_terms, venue_provider
from orders.locks import lock_payout
from orders.models import Order, Return, ReviewCase, Trade, Venue
from orders.operations.return_payout import return_payout
from orders.operations.return_trade import return_trade
from reconciliation import intent_trace, packets, trace
from reconciliation.models import ExceptionCase
from tests.console.conftest import person, signed_in
from tests.orders.conftest import bank, fixed_clock, payouts
from tests.orders.payouts import PayoutDesk, payout_of
from tests.rest.calls import ordered
from tests.rest.conftest import Shop
from tests.webhooks.edge import make_endpoint
from wallets import inbox_provider
from wallets.models import ApiRequest, Gateway
from webhooks import providers, signatures
from webhooks.models import Delivery, InboundEvent

__all__ = ["bank", "fixed_clock", "payouts", "person", "signed_in"]

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]


def told(code: str, event_id: str, kind: str, **subjects: str) -> InboundEvent:
    """Have a provider send us an event, and judge it."""
    with db_transaction.atomic():
        secret = providers.newest_secret(code, now=clock.now())
    body = json.dumps({"type": kind, "data": {"status": "confirmed", **subjects}}).encode()
    sent = signatures.headers(secrets=[secret], message_id=event_id, timestamp=int(clock.now().timestamp()), body=body)
    answer = Client().post(f"/v1/inbox/{code}", body, content_type="application/json", headers=sent)
    assert answer.status_code == 202
    drains.drain("inbox")
    return InboundEvent.objects.get(provider_event_id=event_id)


def excepted(*, subject: str, order: str = "") -> ExceptionCase:
    now = clock.now()
    case = ExceptionCase(
        reference=f"exc_{subject}",
        environment="test",
        type="missing_webhook",
        subject=subject,
        order_reference=order,
        business_date=date(2026, 3, 13),
        first_action="Ask for it again.",
        last_seen_at=now,
    )
    with db_transaction.atomic():
        move(Birth(case), why=Why("test", "planted"), now=now)
    return case


def test_an_order_is_found_by_what_came_in_what_went_out_and_what_came_after(shop: Shop, signed_in: SignIn) -> None:
    wallet = Gateway.objects.get(operator=shop.operator, environment="test")
    with db_transaction.atomic():
        inbox_provider.ensure(wallet, now=clock.now())
        venue = Venue(code="north", environment="test")
        venue_provider.ensure(venue, now=clock.now())
    make_endpoint(operator_id=shop.operator.pk)
    made = ordered(shop.api, partner_order_id="shop-1", key="shop-1:accept:v1")
    ordered(shop.api, partner_order_id="shop-2", key="shop-2:accept:v1")
    drains.drain("sagas")
    order = Order.objects.get(reference=made["order_id"])
    trade = Trade.objects.get(order_reference=order.reference)
    key = f"{order.reference}:debit:v1"
    wallets = told(inbox_provider.code_of(wallet), "we-1", "operation.updated", idempotency_key=key)
    venues = told(venue_provider.code_of(venue), "ve-1", "trade.settled", transact_id=trade.reference)
    found = return_trade(trade_reference=trade.reference, reason="their letter", actor="user:lena", now=clock.now())
    drains.drain("relay")
    exception = excepted(subject=trade.reference, order=order.reference)
    request = ApiRequest.objects.get(subject=order.reference)
    ids = {
        "our request id": request.request_id,
        "the order's request id": order.request_id,
        "idempotency key": "shop-1:accept:v1",
        "delivery": Delivery.objects.filter(aggregate=order.reference)[0].reference,
        "delivery about its trade": Delivery.objects.filter(aggregate=trade.reference)[0].reference,
        "return": found.reference,
        "delivery about its return": Delivery.objects.filter(aggregate=found.reference)[0].reference,
        "review case of its return": ReviewCase.objects.get(subject=found.reference).reference,
        "exception case": exception.reference,
        "the wallet's event": wallets.reference,
        "their id of it": "we-1",
        "the venue's event": venues.reference,
        "its id of it": "ve-1",
    }
    found_by = {name: [each.reference for each in trace.find_orders(one)] for name, one in ids.items()}
    assert found_by == {name: [order.reference] for name in ids}
    inside = trace.trace_of(order, inside=True)["inbound_events"]
    assert [(one["event_id"], one["provider_event_id"], one["kind"], one["status"]) for one in inside] == [
        (wallets.reference, "we-1", "operation.updated", wallets.state),
        (venues.reference, "ve-1", "trade.settled", venues.state),
    ]
    assert [(one["provider"], one["subjects"]) for one in inside] == [
        ("acme-wallet-test", [key]),
        ("venue-north-test", [trade.reference]),
    ]
    outside = shop.api.get(f"/v1/orders/{order.reference}/trace").json["inbound_events"]
    assert [one["provider_event_id"] for one in outside] == ["we-1"], "a venue's is nobody's but the house's"
    assert not {"provider", "reason", "subjects"} & set(outside[0])
    with zipfile.ZipFile(io.BytesIO(packets.packet_of(order, now=clock.now()))) as packet:
        text, page = (packet.read(name).decode() for name in packet.namelist())
    assert json.loads(text)["inbound_events"] == outside
    assert "we-1" in page
    assert "ve-1" not in text + page
    shown = signed_in("susi", "support").get(f"/console/trace/{order.reference}/").content.decode()
    card = shown[shown.index('id="inbound"') :]
    assert card.index(wallets.reference) < card.index("we-1") < card.index("ve-1")


def test_a_payout_is_found_by_what_came_in_and_by_what_came_after(payouts: PayoutDesk, signed_in: SignIn) -> None:
    payouts.bank.script = [None]
    paid = payouts.pay("20.00")
    gateway = Gateway.objects.get(channel="promptpay")
    with db_transaction.atomic():
        inbox_provider.ensure(gateway, now=clock.now())
    payouts.drive(passes=3)
    make_endpoint(operator_id=payouts.caller.operator_id)
    payout = payout_of(paid)
    event = told(
        inbox_provider.code_of(gateway), "be-1", "payout.updated", idempotency_key=f"{payout.reference}:submit:v1"
    )
    with db_transaction.atomic():
        intent, locked = lock_payout(payout.reference)
        amount, why = payout_terms.paid_out(intent), Why("bank", "no such account")
        found = return_payout(intent=intent, payout=locked, amount=amount, provider={}, why=why, now=clock.now())
    drains.drain("relay")
    ids = {
        "return": found.reference,
        "delivery about its return": Delivery.objects.get(aggregate=found.reference).reference,
        "review case of its return": ReviewCase.objects.get(subject=found.reference).reference,
        "exception case": excepted(subject=intent.reference).reference,
        "the bank's event": event.reference,
        "its id of it": "be-1",
    }
    found_by = {name: [each.reference for each in intent_trace.find_intents(one)] for name, one in ids.items()}
    assert found_by == {name: [intent.reference] for name in ids}
    inside = intent_trace.trace_of_intent(intent, inside=True)
    assert [one["provider_event_id"] for one in inside["inbound_events"]] == ["be-1"]
    assert [one["return_id"] for one in inside["returns"]] == [Return.objects.get().reference]
    assert [one["exception_id"] for one in inside["exception_cases"]] == [ids["exception case"]]
    assert intent_trace.trace_of_intent(intent, inside=False)["inbound_events"] == []
    page = signed_in("susi", "support").get(f"/console/intents/{intent.reference}/").content.decode()
    assert all(one in page for one in ("be-1", found.reference, ids["exception case"]))
