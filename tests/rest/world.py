"""One of everything that an operator can have, so that every route has something to show."""

from dataclasses import dataclass, replace
from datetime import timedelta

from django.db import connections
from django.db import transaction as db_transaction

from ledger.controls import clock, drains, references
from ledger.controls.moves import Birth, Why, move
from ledger.controls.rest.answers import instant
from orders.models import Order, ReviewCase
from tests.orders.payouts import ASSET, MOBILE, open_channels
from tests.rest.calls import WALLET, Api, ordered, quoted, transfer
from tests.wallets.people import fund
from tests.webhooks.provider import STANDARD, make_sender
from wallets.models import Gateway, Wallet
from webhooks.models import Provider


@dataclass(frozen=True, slots=True)
class World:
    quote: str
    second_quote: str
    order: str
    sent_key: str
    """Of the order's debit, towards the operator's wallet."""
    endpoint: str
    delivery: str
    event: str
    wallet: str
    """With nothing in it."""
    payer: str
    payee: str
    transfer: str
    scheduled: str
    pay_in: str
    review_case: str
    merchant: str
    """With money, in the channels' asset."""
    payout: str
    second_payout: str
    """Both wait to be confirmed."""


_NOBODYS = "01kad00f8xm3v6y2q4t5n7w9bz"
NOTHING = World(
    quote=f"quo_{_NOBODYS}",
    second_quote=f"quo_{_NOBODYS}",
    order=f"ord_{_NOBODYS}",
    sent_key=f"ord_{_NOBODYS}:debit:v1",
    endpoint=f"ep_{_NOBODYS}",
    delivery=f"dlv_{_NOBODYS}",
    event=f"evt_{_NOBODYS}",
    wallet=f"wal_{_NOBODYS}",
    payer=f"wal_{_NOBODYS}",
    payee=f"wal_{_NOBODYS}",
    transfer=f"int_{_NOBODYS}",
    scheduled=f"int_{_NOBODYS}",
    pay_in=f"pin_{_NOBODYS}",
    review_case=f"rev_{_NOBODYS}",
    merchant=f"wal_{_NOBODYS}",
    payout=f"int_{_NOBODYS}",
    second_payout=f"int_{_NOBODYS}",
)
"""Ids of the right shape that nobody has."""


def make_world(api: Api) -> World:
    """Make quotes, a processed order with a review case, a webhook endpoint and a delivery."""
    endpoint = api.post("/v1/webhook-endpoints", {"url": "https://hooks.example.com/a"})
    assert endpoint.status == 201, endpoint.body
    order = ordered(api, key="world:accept:v1", partner_order_id="world")["order_id"]
    drains.drain("sagas")
    drains.drain("relay")
    reference = endpoint.json["endpoint_id"]
    delivery = api.post(f"/v1/webhook-endpoints/{reference}/test")
    assert delivery.status == 202, delivery.body
    if not Gateway.objects.filter(channel="promptpay").exists():
        open_channels()
    shop = {"kind": "merchant", "user_reference": "shop", "assets": [ASSET]}
    merchant = api.post("/v1/wallets", shop).json["wallet_id"]
    fund(Wallet.objects.get(reference=merchant), 1_000_000, asset=ASSET)
    made = World(
        quote=quoted(api)["quote_id"],
        second_quote=quoted(api)["quote_id"],
        order=order,
        sent_key=f"{order}:debit:v1",
        endpoint=reference,
        delivery=delivery.json["delivery_id"],
        event=api.get("/v1/events?limit=1").json["data"][0]["id"],
        wallet=api.post("/v1/wallets", WALLET).json["wallet_id"],
        **_transfers(api),
        pay_in=_paid_in(api),
        review_case=_opened_case(order),
        merchant=merchant,
        payout=_unconfirmed(api, merchant),
        second_payout=_unconfirmed(api, merchant),
    )
    connections.close_all()
    return made


def payout_body(payer: str, **changes: object) -> dict[str, object]:
    return {
        "payer_wallet_id": payer,
        "asset": ASSET,
        "amount": "100.00",
        "channel": "promptpay",
        "recipient": MOBILE,
        **changes,
    }


def _unconfirmed(api: Api, payer: str) -> str:
    answer = api.post("/v1/payouts", payout_body(payer, confirm=False))
    assert answer.status == 201, answer.body
    return str(answer.json["intent_id"])


def _transfers(api: Api) -> dict[str, str]:
    """Make two wallets, one with money in it, a transfer between them and one that waits."""
    payer, payee = (
        api.post("/v1/wallets", {**WALLET, "user_reference": name}).json["wallet_id"] for name in ("payer", "payee")
    )
    fund(Wallet.objects.get(reference=payer), 100_000)
    asked = transfer(payer, payee)
    done = api.post("/v1/transfers", asked)
    waiting = api.post("/v1/transfers", {**asked, "scheduled_for": instant(clock.now() + timedelta(days=1))})
    assert (done.status, waiting.status) == (201, 202), (done.body, waiting.body)
    return {
        "payer": payer,
        "payee": payee,
        "transfer": done.json["intent_id"],
        "scheduled": waiting.json["intent_id"],
    }


def _paid_in(api: Api) -> str:
    """Have a provider collect something for another wallet of the operator's; return the pay-in."""
    shop = api.post("/v1/wallets", {**WALLET, "kind": "merchant", "user_reference": "shop"}).json
    code = f"psp-{Provider.objects.count()}"
    sender = make_sender(code, terms=replace(STANDARD, transaction="data.transaction_id"))
    Provider.objects.filter(code=code).update(
        operator_id=None, environment=api.get("/v1/capabilities").json["environment"]
    )
    data = {"transaction_id": code, "wallet_id": shop["wallet_id"], "amount": "10.00", "asset": "EUR"}
    assert sender.send(f"evt_{code}", kind="payin.collected", data=data).status_code == 202
    drains.drain("inbox")
    return str(api.get("/v1/pay-ins").json["data"][0]["payin_id"])


def _opened_case(order_reference: str) -> str:
    """Open a case about the order, as a venue's late word would."""
    order = Order.objects.get(reference=order_reference)
    now = clock.now()
    case = ReviewCase(
        reference=references.new(references.Prefix.REVIEW),
        environment=order.environment,
        operator_id=order.operator_id,
        subject=order.reference,
        reason="late_debit",
        next_action="Look at it.",
        asset=order.source_asset,
        amount_minor=order.source_minor,
        due_at=now,
    )
    with db_transaction.atomic():
        move(Birth(case), why=Why("test", "opened"), now=now)
    return case.reference
