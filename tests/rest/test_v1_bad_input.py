"""What is refused at the edge or by the domain: its problem, its request id, and not one row more or less."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock
from orders.models import Pool
from orders.operations.halt_pool import halt_pool
from tests.rest.calls import QUOTE, Answer, Api, ordered, quoted
from tests.rest.conftest import EVERY_SCOPE, Shop
from tests.rest.tables import fingerprint, rows
from wallets import operators

_QUOTE = json.dumps(QUOTE).encode()
_ORDER = b'{"quote_id": "quo_01kad00f8xm3v6y2q4t5n7w9bz", "partner_order_id": "p"}'
_NOBODYS = "01kad00f8xm3v6y2q4t5n7w9bz"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Row:
    case: str
    status: int
    code: str
    method: str = "POST"
    path: str = "/v1/quotes"
    body: bytes = _QUOTE
    content_type: str = _JSON
    headers: dict[str, str] = field(default_factory=lambda: {"Idempotency-Key": "one"})


_EDGE = [
    Row("no idempotency key", 400, "idempotency_key_missing", headers={}),
    Row("no idempotency key for an order", 400, "idempotency_key_missing", path="/v1/orders", body=_ORDER, headers={}),
    Row("a malformed idempotency key", 400, "idempotency_key_malformed", headers={"Idempotency-Key": "a b"}),
    Row("half of a JSON text", 400, "malformed_json", body=_QUOTE[:-1]),
    Row("no body", 400, "malformed", body=b""),
    Row("NaN", 400, "malformed_json", body=b'{"source_amount": NaN}'),
    Row("not UTF-8", 400, "malformed_json", body=b'{"pool_id": "\xff"}'),
    Row("a name twice", 400, "malformed_json", body=_QUOTE[:-1] + b', "firm": true}'),
    Row("a form", 415, "unsupported_media_type", content_type="application/x-www-form-urlencoded"),
    Row("text", 415, "unsupported_media_type", content_type="text/plain"),
    Row("another charset", 415, "unsupported_media_type", content_type="application/json; charset=utf-16"),
    Row("over the limit", 413, "body_too_large", body=_QUOTE + b" " * 64 * 1024),
    Row("an order over the limit", 413, "body_too_large", path="/v1/orders", body=_ORDER + b" " * 64 * 1024),
    Row("an unknown route", 404, "no_such_route", path="/v1/qoutes"),
    Row("an unknown query", 400, "malformed", path="/v1/quotes?firm=false"),
    Row("a wrong method", 405, "method_not_allowed", method="PUT"),
    Row("a wrong method on one", 405, "method_not_allowed", method="DELETE", path=f"/v1/orders/ord_{_NOBODYS}"),
    Row("an order of nobody's quote", 404, "not_found", path="/v1/orders", body=_ORDER),
    Row("an order with an unknown field", 400, "malformed", path="/v1/orders", body=_ORDER[:-1] + b', "price": "1"}'),
]


def test_nothing_changes_when_a_request_is_refused_at_the_edge(shop: Shop) -> None:
    """One desk, every row: an identical second request is refused alike, so none of them used up the key."""
    before = fingerprint()
    for row in _EDGE:
        for _ in range(2):
            answer = shop.api.call(
                row.method,
                row.path,
                row.body,
                content_type=row.content_type,
                headers={**row.headers, "X-Request-Id": "r-1"},
            )
            _check(answer, row.status, row.code, row.case)
            assert answer.headers["X-Request-Id"] == "r-1", row.case
            assert "Idempotent-Replayed" not in answer.headers, row.case
        assert rows("ledger_claim") == 0, row.case
        assert fingerprint() == before, row.case


def _without(shop: Shop) -> Api:
    return Api()


def _made_up(shop: Shop) -> Api:
    return Api("hf_test_" + "a" * 56)


def _cut(shop: Shop) -> Api:
    return Api(shop.api.secret[:-1])


def _of_the_other_environment(shop: Shop) -> Api:
    return Api(shop.api.secret.replace("hf_test_", "hf_live_"))


def _revoked(shop: Shop) -> Api:
    issued = _issue(shop)
    operators.revoke_key(key=issued.key, now=clock.now())
    return Api(issued.secret)


def _expired(shop: Shop) -> Api:
    return Api(_issue(shop, ends_in=-timedelta(seconds=1)).secret)


def _read_only(shop: Shop) -> Api:
    return shop.key(scopes=["read"])


@pytest.mark.parametrize(
    "key, status, code",
    [
        (_without, 401, "not_authenticated"),
        (_made_up, 401, "authentication_failed"),
        (_cut, 401, "authentication_failed"),
        (_of_the_other_environment, 401, "authentication_failed"),
        (_revoked, 401, "authentication_failed"),
        (_expired, 401, "authentication_failed"),
        (_read_only, 403, "scope_missing"),
    ],
)
def test_nothing_changes_when_the_key_may_not(shop: Shop, key: Callable[[Shop], Api], status: int, code: str) -> None:
    quote = quoted(shop.api)["quote_id"]
    stranger = key(shop)
    before, claims = fingerprint(), rows("ledger_claim")
    for answer in (
        stranger.post("/v1/quotes", QUOTE),
        stranger.post("/v1/orders", {"quote_id": quote, "partner_order_id": "p"}),
        stranger.post("/v1/orders?dry_run=true", {"quote_id": quote, "partner_order_id": "p"}, key=None),
        stranger.delete(f"/v1/quotes/{quote}"),
        stranger.post("/v1/webhook-endpoints", {"url": "https://hooks.example.com/a"}),
    ):
        _check(answer, status, code, quote)
    assert rows("ledger_claim") == claims
    assert fingerprint() == before


def test_an_expired_key_opened_everything_when_it_was_still_good(shop: Shop) -> None:
    """The control of the rows above: what refuses is the expiry, nothing else about such a key."""
    assert Api(_issue(shop, ends_in=timedelta(hours=1)).secret).post("/v1/quotes", QUOTE).status == 201


def test_foreign_ids_are_not_found_when_another_operator_or_environment_names_them(shop: Shop, rival: Shop) -> None:
    order = ordered(shop.api)
    quote = quoted(shop.api)["quote_id"]
    strangers = [rival.api, rival.key(environment="live"), shop.key(environment="live")]
    before, claims = fingerprint(), rows("ledger_claim")
    for stranger in strangers:
        for answer in (
            stranger.get(f"/v1/orders/{order['order_id']}"),
            stranger.get(f"/v1/orders/{order['order_id']}/timeline"),
            stranger.get(f"/v1/quotes/{quote}"),
            stranger.delete(f"/v1/quotes/{quote}"),
            stranger.delete(f"/v1/quotes/{quote}", key="stop"),
            stranger.post("/v1/orders", {"quote_id": quote, "partner_order_id": "p"}),
            stranger.post("/v1/orders?dry_run=true", {"quote_id": quote, "partner_order_id": "p"}, key=None),
        ):
            _check(answer, 404, "not_found", quote)
    assert rows("ledger_claim") == claims
    assert fingerprint() == before


def test_the_first_order_is_named_and_nothing_changes_when_a_partner_order_comes_twice(shop: Shop, rival: Shop) -> None:
    first = ordered(shop.api, partner_order_id="twice")
    quote = quoted(shop.api)["quote_id"]
    before = fingerprint()
    answer = shop.api.post("/v1/orders", {"quote_id": quote, "partner_order_id": "twice"})
    _check(answer, 409, "duplicate_partner_order", "twice")
    assert answer.json["order_id"] == first["order_id"]
    assert fingerprint() == before
    assert shop.api.get(f"/v1/quotes/{quote}").json["status"] == "active"
    assert ordered(rival.api, partner_order_id="twice")["order_id"] != first["order_id"]


def test_a_halted_pool_refuses_the_order_and_the_dry_run_alike_when_its_quote_still_stands(shop: Shop) -> None:
    quote = quoted(shop.api)["quote_id"]
    with db_transaction.atomic():
        pool = Pool.objects.get(environment="test", code="EUR-USDT")
        halt_pool(pool=pool, reason="planted", actor="user:olga", now=clock.now())
    before = fingerprint()
    body = {"quote_id": quote, "partner_order_id": "p"}
    _check(shop.api.post("/v1/orders", body), 422, "pool_halted", "order")
    _check(shop.api.post("/v1/orders?dry_run=true", body, key=None), 422, "pool_halted", "dry run")
    _check(shop.api.post("/v1/quotes", {**QUOTE, "firm": False}, key=None), 422, "pool_halted", "price")
    assert fingerprint() == before


def _check(answer: Answer, status: int, code: str, case: str) -> None:
    """`Answer.code` proves the media type and the shape of a problem."""
    assert (answer.status, answer.code) == (status, code), (case, answer.body)
    assert answer.headers["X-Request-Id"] == answer.json["request_id"], case


def _issue(shop: Shop, *, ends_in: timedelta | None = None) -> operators.IssuedKey:
    now = clock.now()
    return operators.issue_key(
        operator=shop.operator,
        environment="test",
        label="planted",
        scopes=EVERY_SCOPE,
        created_by="test",
        now=now,
        expires_at=None if ends_in is None else now + ends_in,
    )
