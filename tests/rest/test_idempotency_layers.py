"""Idempotency layers proven together: client retries, re-delivered provider events, worker repeats and ledger replays.

All four, mixed and at once, on one wallet's payout, its transfers (at once, in a list, scheduled), its pay-in and the refund of
it: money moves once. Each layer has an assertion of its own, for where one fails the others may still keep the money.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.db import transaction as db_transaction

from ledger import balances, journal, verify
from ledger.controls import clock, drains
from ledger.controls.rest.answers import instant
from ledger.drafts import Draft
from ledger.models import Event, Move, Transaction
from orders import payout_terms
from orders.models import Intent, PayIn, Payout, Return, SagaRun, WalletEntry
from orders.operations.start_payout import start_payout
from orders.pay_ins import drafts as pay_in_drafts
from orders.sagas import news, runner
from orders.transfers import terms as transfer_terms
from tests.orders import books
from tests.orders.bank import ScriptedBank
from tests.orders.payouts import ASSET, open_channels
from tests.orders.test_pay_ins import TERMS
from tests.orders.wallet import lost_after
from tests.rest.calls import Answer, transfer
from tests.rest.conftest import Shop
from tests.rest.world import payout_body
from tests.threads import raise_first
from tests.wallets import people
from tests.webhooks.provider import Sender
from wallets import gateway_adapters, holders, inbox_provider
from wallets.models import Gateway, RemoteAttempt, RemoteOperation, Wallet
from webhooks import providers, routing
from webhooks.models import InboundEvent, InboxCount, ProviderTransaction

pytestmark = pytest.mark.usefixtures("database")

_FUNDS = 1_000_000
_LONGEST = 40.0
_INTENTS = 5


class Play:
    """Four kinds of people who repeat themselves, until everything has ended."""

    def __init__(self, shop: Shop, bank: ScriptedBank) -> None:
        self.shop, self.bank = shop, bank
        self.payer = people.wallet("shop", owner=shop.operator, kind="merchant", assets=[ASSET])
        self.payee = people.wallet("bob", owner=shop.operator, kind="user", assets=[ASSET])
        people.fund(self.payer, _FUNDS, asset=ASSET)
        psp = providers.create(code="psp", environment="test", operator_id=None, terms=TERMS, now=clock.now())
        self.psp = Sender("psp", psp.secret)
        gateway = Gateway.objects.select_related("operator").get(channel="promptpay")
        with db_transaction.atomic():
            made = inbox_provider.ensure(gateway, now=clock.now())
        assert made is not None
        self.channel = Sender(made.provider.code, made.secret)
        self.ended = threading.Event()
        self.started = time.monotonic()
        between = transfer(self.payer.reference, self.payee.reference, "25.00", asset=ASSET)
        due = instant(clock.now() + timedelta(seconds=4))
        self.requests: dict[str, tuple[str, object]] = {
            "later": ("/v1/transfers", {**between, "amount": "11.00", "scheduled_for": due}),
            "pay": ("/v1/payouts", payout_body(self.payer.reference)),
            "move": ("/v1/transfers", between),
            "list": (
                "/v1/transfers/bulk",
                {"transfers": [{**between, "amount": "7.00"}, {**between, "amount": "3.00"}]},
            ),
        }
        self.answers: dict[str, list[Answer]] = {name: [] for name in self.requests}
        self.send("later")  # while it still is later

    def goes_on(self) -> bool:
        assert time.monotonic() - self.started < _LONGEST, self.told()
        return not self.ended.is_set()

    def told(self) -> dict[str, list[str]]:
        rows = (Intent, Payout, InboundEvent)
        return {model.__name__: [str(row.state) for row in model._default_manager.all()] for model in rows}

    def at_work(self, *roles: Callable[[], None]) -> list[Callable[[], None]]:
        """Return the roles so that all end when one fails."""

        def playing(role: Callable[[], None]) -> Callable[[], None]:
            def play() -> None:
                try:
                    role()
                finally:
                    self.ended.set()

            return play

        return [playing(role) for role in roles]

    def client(self) -> None:
        """Sends the same requests, under their keys, again and again: even after the answer."""
        while self.goes_on():
            for name in self.requests:
                self.send(name)

    def send(self, name: str) -> None:
        path, body = self.requests[name]
        self.answers[name].append(self.shop.api.post(path, body, key=f"{name}-once"))

    def provider(self) -> None:
        """Delivers a collection and its refund under two event ids each, and the bank's news of the payment, over and over."""
        collected: dict[str, object] = {
            "wallet_id": self.payer.reference,
            "amount": "50.00",
            "asset": ASSET,
            "transaction_id": "txn_1",
        }
        refunded: dict[str, object] = {
            "collection": "txn_1",
            "amount": "20.00",
            "asset": ASSET,
            "transaction_id": "txn_2",
        }
        while self.goes_on():
            for event in ("evt_1", "evt_2"):
                answer = self.psp.send(event, kind="payin.collected", data=collected)
                assert answer.status_code in (200, 202), answer.content
            if not PayIn.objects.exists():
                continue
            for event in ("evt_3", "evt_4"):
                self.psp.send(event, kind="payin.refunded", data=refunded)
            payout = Payout.objects.first()
            if payout is None:
                continue
            said: dict[str, object] = {
                "idempotency_key": f"{payout.reference}:submit:v1",
                "amount": "100.00",
                "currency": ASSET,
            }
            self.channel.send("bev_1", kind="payout.updated", data={**said, "status": "settled"})
            if payout.state == Payout.State.COMPLETE:
                for event in ("bev_2", "bev_3"):
                    told: dict[str, object] = {**said, "status": "returned", "return_id": "rtn_1", "amount": "40.00"}
                    self.channel.send(event, kind="payout.returned", data=told)

    def worker(self) -> None:
        """Does whatever is due, hears the saga's request again, and advances the payout as one whose lease is lost."""
        while self.goes_on():
            for kind in ("relay", "inbox", "sagas"):
                drains.drain(kind)
            payout = Payout.objects.first()
            if payout is None:
                continue
            requested = Event.objects.get(aggregate=payout.reference, topic="payout.saga_requested")
            with db_transaction.atomic():
                start_payout(_relayed(requested))
                if payout.state == Payout.State.COMPLETE:  # a worker that was late, and has lost its lease
                    news.tell(payout.reference, environment="test", now=clock.now())
            runner.run(payout.reference, token=f"lost-{threading.get_ident()}")
            self._see_whether_it_is_over()

    def ledger(self) -> None:
        """Posts again, under its key, whatever stands in the journal."""
        while self.goes_on():
            for draft in self._posted():
                if not Transaction.objects.filter(key=draft.key).exists():
                    continue
                with db_transaction.atomic():
                    (result,) = journal.post(environment="test", drafts=[draft])
                assert result.code == "exists", (draft.key, result)

    def _posted(self) -> list[Draft]:
        found: list[Draft] = []
        for payout in Payout.objects.all():
            intent = Intent.objects.get(reference=payout.intent_reference)
            found += [payout_terms.reserve(intent, payout), payout_terms.settle(intent, payout)]
        for intent in Intent.objects.filter(kind="transfer", state="settled"):
            found += [transfer_terms.hold(intent), transfer_terms.settlement(intent)]
        for pay_in in PayIn.objects.all():
            found.append(pay_in_drafts.draft(pay_in, Wallet.objects.get(reference=pay_in.wallet)))
        return found

    def _see_whether_it_is_over(self) -> None:
        """Everything has ended, the return is open, nothing is due, and each has been repeated a few times since."""
        if InboundEvent.objects.filter(state__in=("received", "parked")).exists():
            return
        settled = Intent.objects.filter(state="settled").count()
        if Return.objects.exists() and PayIn.objects.count() == 2 and settled == _INTENTS:
            repeated = sum(row.count for row in InboxCount.objects.filter(reason="repeated"))
            if repeated > 12 and min(map(len, self.answers.values())) > 5:
                self.ended.set()


def _relayed(event: Event) -> routing.RelayedEvent:
    return routing.RelayedEvent(
        id=event.pk,
        reference=event.reference,
        environment=event.environment,
        operator_id=event.operator_id,
        aggregate=event.aggregate,
        sequence=event.sequence,
        topic=event.topic,
        payload=event.payload,
        request_id=event.request_id,
        recorded_at=event.recorded_at,
    )


@pytest.fixture
def play(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Play:
    scripted = ScriptedBank()
    original = gateway_adapters.adapter

    def found(name: str) -> object:
        return scripted if name == "scripted_bank" else original(name)

    monkeypatch.setattr("wallets.remote_operations.adapter", found)
    monkeypatch.setattr("wallets.recipient_queries.channel_adapter", found)
    open_channels(requery_backoff_ms=50)
    scripted.script = [lost_after, lost_after, None]  # paid, and neither the answer nor the first lookup says so
    return Play(shop, scripted)


def test_money_moves_once_when_clients_providers_workers_and_the_ledger_repeat_at_once(
    play: Play, run_threads: Callable[..., Sequence[Any]]
) -> None:
    roles = play.at_work(*[play.client] * 2, *[play.provider] * 2, *[play.worker] * 2, play.ledger)
    raise_first(run_threads(*roles, timeout=_LONGEST + 10))
    connections.close_all()
    shop = play.shop

    # money, exactly once each
    address = holders.available_address(play.payer)
    found = balances.read(environment="test", accounts=[(address, ASSET)])[address, ASSET]
    assert (found.posted, found.debits_pending) == (_FUNDS - 10_000 - 2_500 - 1_000 - 1_100 + 5_000 - 2_000, 0)
    assert holders.balances_of(play.payee)[0].available == 2_500 + 1_000 + 1_100
    booked = Transaction.objects.exclude(event_type="POOL_FUNDING").values_list("event_type", flat=True)
    assert Counter(booked) == Counter(
        {
            "OPENING_BALANCE": 1,
            "PAYOUT_RESERVE": 1,
            "PAYOUT_SETTLE": 1,
            "TRANSFER_HOLD": 4,
            "TRANSFER_SETTLE": 4,
            "PAYIN_COLLECTION": 1,
            "PAYIN_REFUND": 1,
        }
    )
    assert Counter(WalletEntry.objects.values_list("wallet", "kind")) == Counter(
        {
            (play.payer.reference, "opening_balance"): 1,
            (play.payer.reference, "payout_hold"): 1,
            (play.payer.reference, "payout"): 1,
            (play.payer.reference, "transfer_hold"): 1,
            (play.payer.reference, "transfer_out"): 4,
            (play.payee.reference, "transfer_in"): 4,
            (play.payer.reference, "payin_collected"): 1,
            (play.payer.reference, "payin_refunded"): 1,
        }
    )

    # layer 1, the client's key: one intent each, and every answer is the first one
    assert Counter(Intent.objects.values_list("kind", "state")) == {
        ("payout", "settled"): 1,
        ("transfer", "settled"): 4,
    }
    for answers in play.answers.values():
        given = [answer for answer in answers if answer.status in (200, 201, 202)]
        assert {answer.status for answer in answers} <= {200, 201, 202, 409}
        assert len({answer.body for answer in given}) == 1
        assert sum("Idempotent-Replayed" not in answer.headers for answer in given) == 1

    # layer 2, the provider's event id and transaction: stored once, booked once
    stored = sorted(InboundEvent.objects.values_list("provider_event_id", flat=True))
    assert stored == ["bev_1", "bev_2", "bev_3", "evt_1", "evt_2", "evt_3", "evt_4"]
    for pair in (("bev_2", "bev_3"), ("evt_1", "evt_2"), ("evt_3", "evt_4")):
        states = InboundEvent.objects.filter(provider_event_id__in=pair).values_list("state", flat=True)
        assert sorted(states) == ["applied", "ignored"], pair
    assert (PayIn.objects.count(), Return.objects.count()) == (2, 1)
    assert ProviderTransaction.objects.count() == 3

    # layer 3, the worker's row and the remote operation's key: asked once, each state entered once
    payout = Payout.objects.get()
    assert [kind for kind, _ in play.bank.calls].count("ask") == 1
    assert RemoteAttempt.objects.filter(kind="ask").count() == RemoteOperation.objects.count() == 1
    assert len(play.bank.applied) == 1
    assert Counter(books.path(payout.reference))["settling"] == Counter(books.path(payout.reference))["complete"] == 1
    assert not SagaRun.objects.exclude(last_error="").exists()

    # layer 4, the ledger's key
    assert [verdict for verdict in verify.verify() if verdict.breaks] == []
    for subject in Intent.objects.values_list("reference", flat=True):
        assert Move.objects.filter(subject=subject, to_state="settled").count() == 1
    assert len(shop.api.get("/v1/intents").json["data"]) == _INTENTS
