"""Crash at every commit of what providers tell: pay-ins, refunds, chargebacks, payouts that came back; then all goes on.

The provider, unanswered or not, tells everything again, and the people decide again: the books end equal to the undisturbed
run, and nothing is booked twice.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db import transaction as db_transaction
from django.test import Client

from ledger.controls import clock, drains
from orders.models import PayIn, Return, ReviewCase, WalletEntry
from orders.operations import review_case
from tests.flush import Flush
from tests.orders import books
from tests.orders.bank import ScriptedBank
from tests.orders.payouts import ASSET, PayoutDesk, open_payout_desk, payout_of
from tests.orders.test_crashes import Killed, Killer, killing
from tests.orders.test_pay_ins import TERMS
from tests.wallets.rules import fee, in_force
from wallets import inbox_provider
from wallets.models import Gateway
from webhooks import providers, signatures
from webhooks.models import InboundEvent, ProviderTransaction

pytestmark = pytest.mark.usefixtures("database")


@dataclass
class Scene:
    """A desk, and a provider with what it has to say: kind and data, in this order."""

    desk: PayoutDesk
    provider: str
    secret: str
    news: list[tuple[str, dict[str, Any]]]

    def play(self) -> None:
        """Tell all of it, judge each at once, and have people decide what waits for them."""
        for number, (kind, data) in enumerate(self.news):
            body = json.dumps({"type": kind, "data": data}).encode()
            stamp = int(clock.now().timestamp())
            headers = signatures.headers(secrets=[self.secret], message_id=f"evt_{number}", timestamp=stamp, body=body)
            answer = Client().post(f"/v1/inbox/{self.provider}", body, content_type="application/json", headers=headers)
            assert answer.status_code in (200, 202), answer.content
            drains.drain("inbox")
        self.decide()

    def decide(self) -> None:
        for case in ReviewCase.objects.exclude(state="resolved"):
            now = clock.now()
            if case.state != "proposed":
                review_case.propose_resolution(
                    case_reference=case.reference,
                    case_version=case.version,
                    resolution="adjust",
                    reason="the statement shows it",
                    actor="user:olga",
                    now=now,
                )
            version = ReviewCase.objects.values_list("version", flat=True).get(pk=case.pk)
            review_case.approve_resolution(
                case_reference=case.reference, case_version=version, reason="yes", actor="user:lena", now=now
            )


def _collected(desk: PayoutDesk) -> Scene:
    in_force(fee("payin_fee", flow="payin", asset=ASSET, basis_points=250, fixed_minor=30, vat_basis_points=700))
    made = providers.create(code="psp", environment="test", operator_id=None, terms=TERMS, now=clock.now())
    first = {"wallet_id": desk.wallet.reference, "amount": "100.00", "asset": ASSET, "transaction_id": "txn_1"}
    return Scene(desk, "psp", made.secret, [("payin.collected", first)])


def _given_back(desk: PayoutDesk, kind: str, amount: str) -> Scene:
    scene = _collected(desk)
    scene.news.append((kind, {"amount": amount, "asset": ASSET, "collection": "txn_1", "transaction_id": "txn_2"}))
    return scene


def _refunded(desk: PayoutDesk) -> Scene:
    return _given_back(desk, "payin.refunded", "40.00")


def _charged_back(desk: PayoutDesk) -> Scene:
    return _given_back(desk, "payin.charged_back", "100.00")


def _returned(desk: PayoutDesk) -> Scene:
    intent = desk.pay("1000.00")
    desk.drive(passes=2)
    gateway = Gateway.objects.select_related("operator").get(channel="promptpay")
    with db_transaction.atomic():
        made = inbox_provider.ensure(gateway, now=clock.now())
    assert made is not None
    said = {
        "idempotency_key": f"{payout_of(intent).reference}:submit:v1",
        "status": "returned",
        "return_id": "back_1",
        "amount": "1000.00",
        "currency": ASSET,
    }
    return Scene(desk, made.provider.code, made.secret, [("payout.returned", said)])


STORIES: dict[str, tuple[Callable[[PayoutDesk], Scene], Counter[str]]] = {
    "collected": (_collected, Counter(PAYIN_COLLECTION=3)),
    "refunded": (_refunded, Counter(PAYIN_COLLECTION=3, PAYIN_REFUND=1)),
    "charged back": (_charged_back, Counter(PAYIN_COLLECTION=3, PAYIN_CHARGEBACK=1)),
    "a payout that came back": (_returned, Counter(PAYOUT_RESERVE=1, PAYOUT_SETTLE=1, PAYOUT_RETURN=1)),
}


def _lived(scene: Scene, killer: Killer, monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """Play until killed; then the provider and the people do all of it again. Return how the books and rows end."""
    try:
        with killing(killer, scene.desk.bank, monkeypatch):
            scene.play()
    except (Killed, DatabaseError):  # Django's own clean-up meets a closed connection
        assert killer.dead
        connection.close()
        scene.desk.later(seconds=45)
        scene.play()

    def named(part: Any) -> Any:
        """Each world has a wallet of its own: call it the same."""
        return part.replace(scene.desk.wallet.reference, "shop") if isinstance(part, str) else part

    return (
        Counter({tuple(named(part) for part in line): count for line, count in books.lines().items()}),
        {(named(address), asset): four for (address, asset), four in books.balances().items()},
        [(entry.kind, entry.amount_minor, entry.posted_minor) for entry in WalletEntry.objects.order_by("pk")],
        [(one.kind, one.gross_minor, books.topics(one.reference)) for one in PayIn.objects.order_by("pk")],
        [(one.state, books.path(one.reference), books.topics(one.reference)) for one in Return.objects.all()],
        list(InboundEvent.objects.order_by("pk").values_list("kind", "state")),
        sorted(ProviderTransaction.objects.values_list("reference", "kind")),
        list(ReviewCase.objects.values_list("state", flat=True)),
    )


@pytest.mark.parametrize("name", STORIES)
def test_what_a_provider_tells_is_booked_once_when_the_process_dies_at_any_point(
    name: str, payouts: PayoutDesk, bank: ScriptedBank, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, postings = STORIES[name]
    scout = Killer(at=None)
    undisturbed = _lived(story(payouts), scout, monkeypatch)
    assert Counter(line[0] for line in books.lines() if line[0] != "OPENING_BALANCE") == postings
    assert set(InboundEvent.objects.values_list("state", flat=True)) == {"applied"}
    assert scout.points.count("before commit") >= 2
    for at, point in enumerate(scout.points):
        flush()
        killer = Killer(at=at)
        ended = _lived(story(open_payout_desk(bank, payouts.clock)), killer, monkeypatch)
        assert killer.dead, (name, at, point)
        assert ended == undisturbed, (name, at, point)
