"""The operator's wallet tells that an operation was updated: 0Pools' seven steps, as an order lives through them."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db import transaction as db_transaction
from django.test import Client

from ledger.controls import drains
from ledger.models import Move, Transaction
from orders.models import Order, Return, SagaRun
from orders.operations.freeze_order import freeze_order, lift_freeze
from tests.orders.desk import Desk, reloaded
from tests.orders.wallet import ScriptedWallet, declined, lost_before, pending
from wallets import inbox_provider, operation_news, operators
from wallets.gateway_port import Reply
from wallets.models import Gateway, RemoteAttempt, RemoteOperation
from wallets.outcomes import Confirmed
from webhooks import signatures
from webhooks.models import InboundEvent

FAR = timedelta(seconds=10)


@dataclass
class Wallet:
    """The operator's wallet service, sending."""

    desk: Desk
    code: str
    secret: str

    def tell(self, key: str, status: object = "confirmed", *, event_id: str = "wev_1") -> int:
        content = {"type": operation_news.KIND, "data": {"idempotency_key": key, "status": status}}
        body = json.dumps(content).encode()
        timestamp = int(self.desk.clock.now().timestamp())
        headers = signatures.headers(secrets=[self.secret], message_id=event_id, timestamp=timestamp, body=body)
        answer = Client().post(f"/v1/inbox/{self.code}", body, content_type="application/json", headers=headers)
        return int(answer.status_code)


@pytest.fixture
def telling(desk: Desk) -> Wallet:
    gateway = Gateway.objects.select_related("operator").get()
    with db_transaction.atomic():
        made = inbox_provider.ensure(gateway, now=desk.clock.now())
    assert made is not None
    return Wallet(desk, made.provider.code, made.secret)


def pending_order(desk: Desk, wallet: ScriptedWallet) -> Order:
    """Return an order whose debit was answered *pending* and is really applied; its next lookup is ten seconds away."""
    wallet.legs["debit"] = [pending, None]
    order = desk.order()
    drains.drain("sagas")
    assert reloaded(order).state == Order.State.OPERATOR_DEBIT_PENDING
    assert SagaRun.objects.get().available_at >= desk.clock.now() + FAR
    return order


def key_of(order: Order) -> str:
    return f"{order.reference}:debit:v1"


def judged(event_id: str = "wev_1") -> tuple[str, str]:
    row = InboundEvent.objects.get(provider_event_id=event_id)
    return row.state, row.reason


def everything() -> list[object]:
    """What must not change when an event is refused or ignored."""
    return [
        list(Order.objects.values()),
        list(RemoteOperation.objects.values()),
        RemoteAttempt.objects.count(),
        Transaction.objects.count(),
        Move.objects.exclude(machine="inbound_event").count(),
        list(SagaRun.objects.values()),
    ]


def test_event_makes_the_saga_look_up_at_once(desk: Desk, wallet: ScriptedWallet, telling: Wallet) -> None:
    order = pending_order(desk, wallet)
    assert telling.tell(key_of(order)) == 202
    drains.drain("inbox")
    assert judged()[0] == "applied"
    drains.drain("sagas")
    assert reloaded(order).state == Order.State.PROCESSED
    assert wallet.calls == [("ask", key_of(order)), ("lookup", key_of(order))]


@pytest.mark.parametrize("status", ["confirmed", "rejected"])
def test_status_is_never_taken_for_the_truth(status: str, desk: Desk, wallet: ScriptedWallet, telling: Wallet) -> None:
    """Whatever it says, what our own lookup finds counts; here: still pending."""
    wallet.legs["debit"] = [pending]
    order = desk.order()
    drains.drain("sagas")
    telling.tell(key_of(order), status)
    drains.drain("inbox")
    drains.drain("sagas")
    assert reloaded(order).state == Order.State.OPERATOR_DEBIT_PENDING
    assert wallet.calls == [("ask", key_of(order)), ("lookup", key_of(order))]
    assert RemoteOperation.objects.get().state == "unknown"


def test_reordered_and_repeated_events_change_nothing(desk: Desk, wallet: ScriptedWallet, telling: Wallet) -> None:
    order = pending_order(desk, wallet)
    telling.tell(key_of(order))
    drains.drain("inbox")
    drains.drain("sagas")
    before = everything()
    assert telling.tell(key_of(order)) == 200
    assert telling.tell(key_of(order), event_id="wev_2") == 202
    assert telling.tell(key_of(order), "pending", event_id="wev_3") == 202
    assert telling.tell(key_of(order), "rejected", event_id="wev_4") == 202
    drains.drain("inbox")
    drains.drain("sagas")
    assert [judged(f"wev_{n}")[0] for n in (2, 3, 4)] == ["ignored"] * 3
    assert judged("wev_4")[1] == f"{key_of(order)} is confirmed already; the wallet says rejected"
    assert everything() == before


def test_pending_says_nothing_new(desk: Desk, wallet: ScriptedWallet, telling: Wallet) -> None:
    order = pending_order(desk, wallet)
    before = everything()
    telling.tell(key_of(order), "pending")
    drains.drain("inbox")
    assert judged()[0] == "ignored"
    assert everything() == before


def test_event_before_our_own_commit_is_parked_and_applied_after_it(
    desk: Desk, wallet: ScriptedWallet, telling: Wallet
) -> None:
    quote = desk.quote()
    telling.tell("ord_not_yet:debit:v1", event_id="wev_never")
    order = desk.submit(quote)
    telling.tell(key_of(order))
    drains.drain("inbox")
    assert judged() == ("parked", f"{key_of(order)} is not here (yet)")
    wallet.legs["debit"] = [pending, None]
    drains.drain("sagas")
    desk.later(seconds=2)
    drains.drain("inbox")
    assert judged()[0] == "applied"
    drains.drain("sagas")
    assert reloaded(order).state == Order.State.PROCESSED
    assert judged("wev_never")[0] == "parked"


def test_event_is_parked_while_the_ask_is_in_flight(desk: Desk, wallet: ScriptedWallet, telling: Wallet) -> None:
    order = pending_order(desk, wallet)
    RemoteOperation.objects.update(lease_until=desk.clock.now() + timedelta(seconds=5), lease_token="somebody")
    telling.tell(key_of(order))
    drains.drain("inbox")
    assert judged() == ("parked", f"{key_of(order)} is being asked at this moment")


def test_events_of_a_frozen_order_are_parked_until_it_is_lifted(
    desk: Desk, wallet: ScriptedWallet, telling: Wallet
) -> None:
    order = pending_order(desk, wallet)
    with db_transaction.atomic():
        freeze_order(order_reference=order.reference, reason="look", actor="user:lea", now=desk.clock.now())
    telling.tell(key_of(order))
    for _ in range(20):
        drains.drain("inbox")
        assert judged() == ("parked", f"{order.reference} is frozen")
        desk.later(minutes=2)
    with db_transaction.atomic():
        lift_freeze(order_reference=order.reference, actor="user:lea", now=desk.clock.now())
    SagaRun.objects.update(available_at=desk.clock.now() + FAR)
    drains.drain("inbox")
    assert judged()[0] == "applied"
    drains.drain("sagas")
    assert reloaded(order).state == Order.State.PROCESSED


def test_answer_is_2xx_while_somebody_holds_the_order(
    desk: Desk, wallet: ScriptedWallet, telling: Wallet, application_connection: psycopg.Connection[Any]
) -> None:
    """0Pools: return 2xx quickly."""
    order = pending_order(desk, wallet)
    with application_connection.transaction():
        application_connection.execute("SELECT FROM orders_order WHERE reference = %s FOR UPDATE", [order.reference])
        application_connection.execute("SELECT FROM wallets_remoteoperation FOR UPDATE")
        application_connection.execute("SELECT FROM orders_sagarun FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
        try:
            assert telling.tell(key_of(order)) == 202
            assert telling.tell(key_of(order)) == 200
        finally:
            with connection.cursor() as cursor:
                cursor.execute("RESET lock_timeout")


def test_event_is_parked_when_somebody_holds_the_saga_s_row(
    desk: Desk, wallet: ScriptedWallet, telling: Wallet, application_connection: psycopg.Connection[Any]
) -> None:
    order = pending_order(desk, wallet)
    telling.tell(key_of(order))
    with application_connection.transaction():
        application_connection.execute("SELECT FROM orders_sagarun FOR UPDATE")
        drains.drain("inbox")
    state, reason = judged()
    assert state == "parked"
    assert "lock timeout" in reason
    desk.later(seconds=2)
    drains.drain("inbox")
    assert judged()[0] == "applied"


def test_operation_of_another_operator_is_not_there(desk: Desk, wallet: ScriptedWallet, telling: Wallet) -> None:
    """Rule T1: a provider's events reach nothing but its operator's."""
    order = pending_order(desk, wallet)
    other = operators.create_operator(name="Other", slug="other", kind="operator", now=desk.clock.now())
    gateway = Gateway.objects.create(
        operator=other, environment="test", base_url="http://other.invalid", secret="whsec_c2VjcmV0", wallet_asset="EUR"
    )
    with db_transaction.atomic():
        made = inbox_provider.ensure(gateway, now=desk.clock.now())
    assert made is not None
    before = everything()
    Wallet(desk, made.provider.code, made.secret).tell(key_of(order))
    drains.drain("inbox")
    assert judged() == ("parked", f"{key_of(order)} is not here (yet)")
    assert everything() == before


def test_event_about_an_order_that_has_ended_otherwise_changes_nothing(
    desk: Desk, wallet: ScriptedWallet, telling: Wallet
) -> None:
    """Unknown at the cap: people hold the order, and its lookups go on; the event moves no money."""
    wallet.legs["debit"] = [lost_before]
    order = desk.order()
    desk.drive()
    assert reloaded(order).state == Order.State.MANUAL_REVIEW
    before = [list(Order.objects.values()), Transaction.objects.count()]
    telling.tell(key_of(order))
    drains.drain("inbox")
    drains.drain("sagas")
    assert judged()[0] == "applied"
    assert [list(Order.objects.values()), Transaction.objects.count()] == before


def test_an_operation_that_was_rejected_is_looked_up_again_when_the_wallet_says_confirmed(
    desk: Desk, wallet: ScriptedWallet, telling: Wallet
) -> None:
    wallet.legs["debit"] = [declined]
    order = desk.order()
    desk.drive(passes=2)
    key = key_of(order)
    assert (reloaded(order).state, wallet.calls) == (Order.State.FAILED, [("ask", key)])
    telling.tell(key, event_id="wev_1")
    drains.drain("inbox")
    drains.drain("sagas")
    drains.drain("relay")
    assert wallet.calls == [("ask", key), ("lookup", key)]
    assert not Return.objects.exists(), "what it says is not believed: the lookup counts"
    wallet.legs["debit"] = [lambda *_: Reply(Confirmed("w-after-all"), 200)]
    telling.tell(key, event_id="wev_2")
    drains.drain("inbox")
    drains.drain("sagas")
    drains.drain("relay")
    assert [judged(event)[0] for event in ("wev_1", "wev_2")] == ["applied", "applied"]
    found = Return.objects.get()
    assert (found.kind, found.leg, found.operation_key) == ("late_effect", "debit", key)
    assert (reloaded(order).state, RemoteOperation.objects.get().state) == (Order.State.FAILED, "rejected")


@pytest.mark.parametrize("status", [None, 7, "", "processed", ["confirmed"], {"a": 1}])
def test_event_without_a_status_of_the_protocol_is_ignored(
    status: object, desk: Desk, wallet: ScriptedWallet, telling: Wallet
) -> None:
    order = pending_order(desk, wallet)
    telling.tell(key_of(order), status)
    drains.drain("inbox")
    assert judged() == ("ignored", "it names no key, or no status of the protocol")
