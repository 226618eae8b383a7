"""One of everything that an operator can have, so that every route has something to show."""

from dataclasses import dataclass

from django.db import connections

from ledger.controls import drains
from tests.rest.calls import WALLET, Api, ordered, quoted


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
)
"""Ids of the right shape that nobody has."""


def make_world(api: Api) -> World:
    """Make quotes, a processed order, a webhook endpoint and a delivery."""
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
        wallet=api.post("/v1/wallets", WALLET).json["wallet_id"],
    )
    connections.close_all()
    return made
