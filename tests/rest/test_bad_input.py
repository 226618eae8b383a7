"""Bad input, row by row: each gets its own problem and changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.clock import FixedClock
from orders.models import Pool
from orders.operations.halt_pool import halt_pool
from tests.rest.calls import QUOTE, ordered, quoted
from tests.rest.conftest import Shop
from tests.rest.tables import fingerprint
from wallets import operators
from wallets.models import FxRate


@dataclass(frozen=True, slots=True)
class Field:
    case: str
    field: str
    value: object
    status: int = 400
    code: str = "malformed"


_AMOUNTS = [
    Field("a JSON number", "source_amount", 100),
    Field("a JSON number with a point", "source_amount", 100.5),
    Field("true", "source_amount", True),
    Field("null", "source_amount", None),
    Field("a list", "source_amount", ["100.00"]),
    Field("an object", "source_amount", {"amount": "100.00"}),
    Field("blank", "source_amount", ""),
    Field("a space", "source_amount", " 100.00"),
    Field("more decimals than the asset has", "source_amount", "100.001"),
    Field("a minus", "source_amount", "-100.00"),
    Field("a plus", "source_amount", "+100.00"),
    Field("zero", "source_amount", "0.00"),
    Field("an exponent", "source_amount", "1e2"),
    Field("Arabic digits", "source_amount", "١٠٠"),
    Field("full-width digits", "source_amount", "１００"),
    Field("an underscore", "source_amount", "1_000"),
    Field("a thousands separator", "source_amount", "1,000.00"),
    Field("leading zeros", "source_amount", "0100.00"),
    Field("no whole part", "source_amount", ".50"),
    Field("no decimals after the point", "source_amount", "100."),
    Field("two points", "source_amount", "1.0.0"),
    Field("NaN", "source_amount", "NaN"),
    Field("infinity", "source_amount", "Infinity"),
    Field("hexadecimal", "source_amount", "0x10"),
    Field("a null character", "source_amount", "100\x00"),
    Field("a line feed at the end", "source_amount", "100\n"),
    Field("more digits than a number has", "source_amount", "9" * 81),
    Field("less than its fees", "source_amount", "0.01", 422, "amount_too_small"),
    Field("less than the pool takes", "source_amount", "1.00", 422, "amount_too_small"),
    Field("more than the pool takes", "source_amount", "100000.00", 422, "amount_too_large"),
    Field("more than anybody has", "source_amount", "9" * 36, 422, "amount_too_large"),
]
_OTHERS = [
    Field("an unknown pool", "pool_id", "EUR-NOPE", 422, "unknown_pool"),
    Field("a pool of another type", "pool_id", 7),
    Field("a pool with a null character", "pool_id", "EUR\x00USDT"),
    Field("a pool's code too long", "pool_id", "x" * 41),
    Field("an asset that the wallet does not hold", "source_asset", "USDT", 422, "asset_not_accepted"),
    Field("an asset that does not exist", "source_asset", "XXX", 422, "asset_not_accepted"),
    Field("an asset of another type", "source_asset", ["EUR"]),
    Field("a side that is none", "side", "sideways"),
    Field("a side of another type", "side", 1),
    Field("a user with a blank", "user_reference", "al ice"),
    Field("a user with a null character", "user_reference", "alice\x00"),
    Field("a user with foreign letters", "user_reference", "аlice"),
    Field("a user too long", "user_reference", "a" * 65),
    Field("no user", "user_reference", ""),
    Field("firm as text", "firm", "true"),
    Field("firm as a number", "firm", 1),
    Field("firm as null", "firm", None),
    Field("a field that is not known", "price", "1.00"),
    Field("a field with a null character", "pri\x00ce", "1.00"),
]


@pytest.mark.parametrize("row", [*_AMOUNTS, *_OTHERS], ids=lambda row: f"{row.field}: {row.case}".replace("\x00", "0"))
def test_a_quote_is_refused_when_a_field_is_off(shop: Shop, row: Field) -> None:
    before = fingerprint()
    answer = shop.api.post("/v1/quotes", {**QUOTE, row.field: row.value})
    assert (answer.status, answer.code) == (row.status, row.code)
    if row.code == "malformed":
        assert list(answer.json["errors"]) == [row.field]
        assert all(isinstance(text, str) for text in answer.json["errors"][row.field])
    assert fingerprint() == before


@pytest.mark.parametrize("body", [None, [], "text", 7, True, [QUOTE]])
def test_a_body_is_refused_when_it_is_no_object(shop: Shop, body: object) -> None:
    before = fingerprint()
    for path in ("/v1/quotes", "/v1/orders", "/v1/webhook-endpoints"):
        answer = shop.api.post(path, body)
        assert (answer.status, answer.code) == (400, "malformed")
    assert fingerprint() == before


@pytest.mark.parametrize("field", ["pool_id", "side", "source_asset", "source_amount", "user_reference"])
def test_a_quote_is_refused_when_a_field_is_missing(shop: Shop, field: str) -> None:
    answer = shop.api.post("/v1/quotes", {name: value for name, value in QUOTE.items() if name != field})
    assert (answer.status, answer.code, list(answer.json["errors"])) == (400, "malformed", [field])


@pytest.mark.parametrize(
    "field, value",
    [
        ("quote_id", 7),
        ("quote_id", None),
        ("quote_id", ""),
        ("quote_id", "q" * 41),
        ("quote_id", "quo_\x00"),
        ("partner_order_id", 7),
        ("partner_order_id", ""),
        ("partner_order_id", "with blank"),
        ("partner_order_id", "p" * 81),
        ("partner_order_id", "p\x00"),
        ("partner_order_id", "рartner"),
        ("user_reference", "somebody-else"),
        ("user_reference", 7),
        ("amount", "100.00"),
    ],
)
def test_an_order_is_refused_when_a_field_is_off(shop: Shop, field: str, value: object) -> None:
    quote = quoted(shop.api)
    before = fingerprint()
    answer = shop.api.post("/v1/orders", {"quote_id": quote["quote_id"], "partner_order_id": "p", field: value})
    assert (answer.status, answer.code, list(answer.json["errors"])) == (400, "malformed", [field])
    assert fingerprint() == before


@pytest.mark.parametrize("value", ["1", "yes", "TRUE", "", "true%00"])
def test_an_order_is_refused_when_it_is_not_clear_whether_it_is_meant(shop: Shop, value: str) -> None:
    quote = quoted(shop.api)
    before = fingerprint()
    body = {"quote_id": quote["quote_id"], "partner_order_id": "p"}
    answer = shop.api.post(f"/v1/orders?dry_run={value}", body)
    assert (answer.status, answer.code) == (400, "malformed")
    assert fingerprint() == before


def _used(shop: Shop, rival: Shop) -> str:
    return str(ordered(shop.api)["quote_id"])


def _cancelled(shop: Shop, rival: Shop) -> str:
    quote = str(quoted(shop.api)["quote_id"])
    assert shop.api.delete(f"/v1/quotes/{quote}").status == 200
    return quote


def _foreign(shop: Shop, rival: Shop) -> str:
    return str(quoted(rival.api)["quote_id"])


def _unknown(shop: Shop, rival: Shop) -> str:
    return "quo_01kad00f8xm3v6y2q4t5n7w9bz"


def _of_a_halted_pool(shop: Shop, rival: Shop) -> str:
    quote = str(quoted(shop.api)["quote_id"])
    _halt("EUR-USDT")
    return quote


@pytest.mark.parametrize(
    "quote, status, code",
    [
        (_used, 409, "quote_used"),
        (_cancelled, 409, "quote_cancelled"),
        (_foreign, 404, "not_found"),
        (_unknown, 404, "not_found"),
        (_of_a_halted_pool, 422, "pool_halted"),
    ],
)
def test_an_order_is_refused_when_its_quote_does_not_stand(
    shop: Shop, rival: Shop, quote: Callable[[Shop, Shop], str], status: int, code: str
) -> None:
    body = {"quote_id": quote(shop, rival), "partner_order_id": "p"}
    before = fingerprint()
    answer = shop.api.post("/v1/orders", body)
    assert (answer.status, answer.code) == (status, code)
    assert fingerprint() == before


def test_an_order_is_refused_when_its_quote_has_expired(shop: Shop) -> None:
    body = {"quote_id": quoted(shop.api)["quote_id"], "partner_order_id": "p"}
    before = fingerprint()
    with clock.use(FixedClock(clock.now() + timedelta(minutes=5))):
        answer = shop.api.post("/v1/orders", body)
    assert (answer.status, answer.code) == (409, "quote_expired")
    assert fingerprint() == before


def test_an_order_is_refused_when_its_quote_is_of_the_other_environment(shop: Shop) -> None:
    body = {"quote_id": quoted(shop.api)["quote_id"], "partner_order_id": "p"}
    before = fingerprint()
    answer = shop.key(environment="live").post("/v1/orders", body)
    assert (answer.status, answer.code) == (404, "not_found")
    assert fingerprint() == before


def test_a_quote_is_refused_when_its_pool_is_of_the_other_environment(shop: Shop) -> None:
    answer = shop.key(environment="live").post("/v1/quotes", QUOTE)
    assert (answer.status, answer.code) == (422, "unknown_pool")


def test_a_quote_is_refused_when_its_pool_is_halted(shop: Shop) -> None:
    _halt("EUR-USDT")
    before = fingerprint()
    answer = shop.api.post("/v1/quotes", QUOTE)
    assert (answer.status, answer.code) == (422, "pool_halted")
    assert fingerprint() == before


def test_a_quote_is_refused_when_its_rate_is_too_old(shop: Shop) -> None:
    with clock.use(FixedClock(clock.now() + timedelta(hours=1))):
        before = fingerprint()
        answer = shop.api.post("/v1/quotes", {**QUOTE, "pool_id": "USD-ETH"})
        assert fingerprint() == before
    assert FxRate.objects.exists()
    assert (answer.status, answer.code) == (422, "rate_stale")


def test_a_quote_is_refused_when_no_wallet_is_connected(shop: Shop) -> None:
    bare = operators.create_operator(name="Bare", slug="bare", kind="operator", now=clock.now())
    answer = Shop(bare, shop.api).key().post("/v1/quotes", QUOTE)
    assert (answer.status, answer.code) == (422, "wallet_not_connected")


def test_a_quote_stays_accepted_when_it_is_cancelled_too_late(shop: Shop) -> None:
    quote = ordered(shop.api)["quote_id"]
    before = fingerprint()
    answer = shop.api.delete(f"/v1/quotes/{quote}")
    assert (answer.status, answer.code) == (409, "illegal_move")
    assert fingerprint() == before


def _halt(code: str) -> None:
    pool = Pool.objects.get(environment="test", code=code)
    with db_transaction.atomic():
        halt_pool(pool=pool, reason="planted", actor="user:olga", now=clock.now())
