"""One of everything that an operator can have, so that every route has something to show."""

from dataclasses import dataclass

from django.db import connections
from django.db import transaction as db_transaction

from ledger.controls import clock, drains, references
from ledger.controls.moves import Birth, Why, move
from orders.models import Order, ReviewCase
from tests.rest.calls import Api, ordered, quoted


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
    review_case: str


_NOBODYS = "01kad00f8xm3v6y2q4t5n7w9bz"
NOTHING = World(
    quote=f"quo_{_NOBODYS}",
    second_quote=f"quo_{_NOBODYS}",
    order=f"ord_{_NOBODYS}",
    sent_key=f"ord_{_NOBODYS}:debit:v1",
    endpoint=f"ep_{_NOBODYS}",
    delivery=f"dlv_{_NOBODYS}",
    event=f"evt_{_NOBODYS}",
    review_case=f"rev_{_NOBODYS}",
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
    made = World(
        quote=quoted(api)["quote_id"],
        second_quote=quoted(api)["quote_id"],
        order=order,
        sent_key=f"{order}:debit:v1",
        endpoint=reference,
        delivery=delivery.json["delivery_id"],
        event=api.get("/v1/events?limit=1").json["data"][0]["id"],
        review_case=_opened_case(order),
    )
    connections.close_all()
    return made


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
