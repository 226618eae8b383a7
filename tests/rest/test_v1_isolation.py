"""Rule T1 where a foreign id hides: in a key, a cursor, a filter, the second id of a path, and the events feed."""

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from ledger.controls import clock, drains
from ledger.controls.clock import FixedClock
from ledger.models import Move
from orders.models import Order, ReviewCase
from orders.operations.review_case import add_note, assign_case
from tests.orders.wallet import ScriptedWallet, lost_before
from tests.rest.calls import Api, ordered, quoted
from tests.rest.conftest import Shop
from tests.rest.routes import TABLE, Reach, declared
from tests.rest.tables import fingerprint
from tests.rest.world import World, make_world
from tests.reviewers import reviewer
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Gateway

_MARK = "qzplanted"
_ACCEPT_KEY = "world:accept:v1"


@dataclass(frozen=True, slots=True)
class Full:
    """A world whose events have come through the relay into the feed."""

    world: World
    order: dict[str, Any]
    event: str
    strangers: dict[str, Api]


@pytest.fixture
def full(shop: Shop, rival: Shop) -> Full:
    world = make_world(shop.api)
    drains.drain("relay")
    return Full(
        world=world,
        order=shop.api.get(f"/v1/orders/{world.order}").json,
        event=shop.api.get("/v1/events").json["data"][0]["id"],
        strangers={
            "rival": rival.api,
            "rival's live key": rival.key(environment="live"),
            "own live key": shop.key(environment="live"),
        },
    )


def test_every_list_shows_its_owner_something_and_strangers_nothing_when_the_world_is_full(
    shop: Shop, full: Full
) -> None:
    lists = [name for name, route in TABLE.items() if route.reach is Reach.LIST]
    assert {name for name, _ in declared()} == set(TABLE)
    assert "GET /v1/events" in lists
    for name in lists:
        assert TABLE[name].call(shop.api, full.world).json["data"], name
        for who, stranger in full.strangers.items():
            answer = TABLE[name].call(stranger, full.world)
            assert (answer.status, answer.json["data"]) == (200, []), (name, who)


def test_a_key_tells_nobody_else_what_it_did_when_it_is_known(shop: Shop, full: Full) -> None:
    """Both sides of a key: the one that the operator sent, and the one that its wallet was sent."""
    for key in (_ACCEPT_KEY, full.world.sent_key):
        assert shop.api.get(f"/v1/operations/{key}").status == 200
        for who, stranger in full.strangers.items():
            answer = stranger.get(f"/v1/operations/{key}")
            assert (answer.status, answer.code) == (404, "not_found"), (key, who)


def test_a_foreign_cursor_opens_no_list_when_it_is_known(shop: Shop, full: Full) -> None:
    orders = [ordered(shop.api)["order_id"] for _ in range(2)]
    cursors = {
        "/v1/orders": shop.api.get("/v1/orders?limit=1").json["next"],
        "/v1/quotes": shop.api.get("/v1/quotes?limit=1").json["next"],
        "/v1/events": full.event,
    }
    for path, cursor in cursors.items():
        assert shop.api.get(f"{path}?after={cursor}").json["data"], path
        for who, stranger in full.strangers.items():
            answer = stranger.get(f"{path}?after={cursor}")
            assert (answer.status, answer.code) == (400, "malformed_cursor"), (path, who)
            assert not any(reference in answer.body.decode() for reference in orders)


def test_a_filter_finds_nothing_when_it_names_what_is_foreign(shop: Shop, full: Full) -> None:
    for query in ("partner_order_id=world", "status=processed"):
        assert shop.api.get(f"/v1/orders?{query}").json["data"] == [full.order]
        for stranger in full.strangers.values():
            assert stranger.get(f"/v1/orders?{query}").json == {"data": [], "next": None}


def test_the_second_id_of_a_path_is_checked_too_when_the_first_is_ones_own(shop: Shop, rival: Shop, full: Full) -> None:
    """A foreign delivery behind an endpoint of one's own, and behind another endpoint of the same operator."""
    other = [
        api.post("/v1/webhook-endpoints", {"url": "https://hooks.example.com/c"}).json["endpoint_id"]
        for api in (rival.api, shop.api)
    ]
    before = fingerprint()
    for api, endpoint in zip((rival.api, shop.api), other, strict=True):
        answer = api.post(f"/v1/webhook-endpoints/{endpoint}/deliveries/{full.world.delivery}/redeliver")
        assert (answer.status, answer.code) == (404, "not_found")
    assert fingerprint() == before


def test_a_foreign_quote_is_spared_when_a_stranger_tries_everything_on_it(shop: Shop, full: Full) -> None:
    quote = quoted(shop.api)["quote_id"]
    before = fingerprint()
    for stranger in full.strangers.values():
        for path in ("/v1/orders", "/v1/orders?dry_run=true"):
            answer = stranger.post(path, {"quote_id": quote, "partner_order_id": "world", "user_reference": "alice"})
            assert (answer.status, answer.code) == (404, "not_found")
    assert fingerprint() == before


def test_events_and_what_follows_from_them_hold_no_marker_when_the_inside_is_full_of_them(
    shop: Shop, wallet: ScriptedWallet
) -> None:
    """The feed is drained here: what it shows is payloads of real moves, whose evidence holds the marker."""

    def lost(scripted: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        return Reply(lost_before(scripted, kind, request).outcome, 504, excerpt=f"{_MARK} raw answer")

    Gateway.objects.filter(operator=shop.operator).update(base_url=f"http://{_MARK}.invalid")
    wallet.script = [lost]
    with clock.use(FixedClock(clock.now())) as fixed:
        assert isinstance(fixed, FixedClock)
        reference = ordered(shop.api)["order_id"]
        for _ in range(40):
            drains.drain("sagas")
            fixed.move_to(fixed.now() + timedelta(seconds=5))
        assert Order.objects.get(reference=reference).state == Order.State.MANUAL_REVIEW
        case = ReviewCase.objects.get(subject=reference)
        who = f"user:{_MARK}"
        reviewer(who)
        assign_case(case_reference=case.reference, owner=who, actor=who, now=fixed.now())
        add_note(case_reference=case.reference, text=f"{_MARK} note", actor=who, now=fixed.now())
        assert any(_MARK in json.dumps(row, default=str) for row in Move.objects.values())  # it was planted
        drains.drain("relay")
        feed = shop.api.get("/v1/events")
        answers = [
            feed,
            shop.api.get("/v1/orders"),
            shop.api.get(f"/v1/orders/{reference}/timeline"),
            shop.api.get(f"/v1/operations/{reference}:debit:v1"),
        ]
    assert "order.manual_review" in {event["type"] for event in feed.json["data"]}
    assert not {event["type"].partition(".")[0] for event in feed.json["data"]} & {
        "review_case",
        "delivery",
        "operation",
    }
    assert all(answer.status == 200 for answer in answers)
    told = [answer.json for answer in answers]
    assert told[2].pop("product_record")["request_id"] == Order.objects.get(reference=reference).request_id
    assert told[2].pop("record")["last_request_id"]  # 0Pools' two records name the operator's own requests
    shown = json.dumps(told).lower()
    for forbidden in (_MARK, "evidence", "actor", "request_id", "whsec_", "pools:", "transit:", case.reference):
        assert forbidden not in shown, forbidden
