"""The OpenAPI document: valid, without warnings, kept in docs/, complete, and true of the answers."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.validation import validate_schema
from jsonschema import Draft202012Validator
from rest_framework import serializers

from config.document import document
from ledger.controls import drains
from orders import shapes
from reconciliation import trace_shapes
from tests.rest.calls import QUOTE, Api, ordered, quoted
from tests.rest.conftest import Shop, open_house
from tests.rest.routes import declared
from wallets.views import OperationAnswer

KEPT = Path(settings.BASE_DIR) / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(document(), Loader=yaml.CSafeLoader)
    return found


def test_the_document_is_valid_and_draws_no_warning_when_it_is_made() -> None:
    GENERATOR_STATS.reset()
    document.cache_clear()
    with contextlib.redirect_stderr(io.StringIO()) as said:
        made = document()
    assert said.getvalue() == ""
    assert not GENERATOR_STATS
    validate_schema(yaml.load(made, Loader=yaml.CSafeLoader))  # type: ignore[no-untyped-call]  # drf-spectacular has no types there


def test_the_kept_document_is_the_present_one_when_a_route_changes() -> None:
    assert KEPT.read_bytes() == document(), "run: python manage.py spectacular --file docs/openapi.yaml"


def test_every_route_is_in_it_with_its_problems_when_it_is_declared(schema: dict[str, Any]) -> None:
    for name, view in declared():
        method, _, path = name.partition(" ")
        operation = schema["paths"][path][method.lower()]
        assert operation["security"] == [{"apiKey": []}], name
        assert operation["operationId"].islower()
        for status in ("400", "401", "429", "500"):
            content = operation["responses"][status]["content"]
            assert list(content) == ["application/problem+json"], name
        headers = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "header"}
        assert ("Idempotency-Key" in headers) == (method in view.key_rules), name
        answers = [status for status in operation["responses"] if status.startswith("2")]
        assert answers, name
        assert all("X-Request-Id" in operation["responses"][status]["headers"] for status in answers), name


def test_the_document_and_its_page_are_served_when_nobody_is_known(database: None) -> None:
    served = Api().get("/v1/schema")
    page = Api().get("/v1/docs", Accept="text/html")
    assert (served.status, served.body) == (200, document())
    assert page.status == 200
    assert b"swagger-ui" in page.body
    assert b"cdn" not in page.body.lower()


def test_answers_have_the_fields_that_the_document_says_when_they_are_made(shop: Shop) -> None:
    order = ordered(shop.api, key="one")
    indicative = shop.api.post("/v1/quotes", {**QUOTE, "firm": False}, key=None).json
    dry = shop.api.post(
        "/v1/orders?dry_run=true", {"quote_id": quoted(shop.api)["quote_id"], "partner_order_id": "p"}, key=None
    ).json
    capabilities = shop.api.get("/v1/capabilities").json
    drains.drain("sagas")
    timeline = shop.api.get(f"/v1/orders/{order['order_id']}/timeline").json
    converted = quoted(shop.api, pool_id="USD-ETH")
    for made, shape in (
        (order, shapes.OrderAnswer),
        (dry, shapes.OrderAnswer),
        (indicative, shapes.QuoteAnswer),
        (converted, shapes.QuoteAnswer),
        (converted["fx"], shapes.Fx),
        (converted["fees"][0], shapes.FeeItem),
        (timeline, trace_shapes.Timeline),
        (timeline["record"], trace_shapes.MinimalRecord),
        (timeline["product_record"], trace_shapes.ProductRecord),
        (timeline["data"][0], trace_shapes.TimelineItem),
        (capabilities, shapes.Capabilities),
        (capabilities["pools"][0], shapes.PoolCapability),
        (capabilities["actions"][0], shapes.Action),
        (capabilities["assets"][0], shapes.AssetAnswer),
        (shop.api.get("/v1/pools/EUR-USDT").json, shapes.PoolAnswer),
        (shop.api.get("/v1/operations/one").json, OperationAnswer),
        (shop.api.get(f"/v1/operations/{order['order_id']}:debit:v1").json, OperationAnswer),
        (shop.api.get("/v1/orders").json, shapes.OrderPage),
        (shop.api.get("/v1/quotes").json, shapes.QuotePage),
    ):
        fields = shape().fields
        assert set(made) <= set(fields), shape
        assert {name for name, field in fields.items() if field.required} <= set(made), shape
        assert all(made[name] is not None or fields[name].allow_null for name in made), shape
        assert isinstance(shape(), serializers.Serializer)


def test_every_operation_has_a_summary_and_what_takes_a_body_an_example_of_it(schema: dict[str, Any]) -> None:
    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert len(operations) > 80
    assert len({operation["summary"] for operation in operations}) == len(operations)
    assert all(operation["description"] for operation in operations)
    bodies = [(one["operationId"], one["requestBody"]["content"]) for one in operations if "requestBody" in one]
    assert len(bodies) > 13
    assert [name for name, content in bodies if "example" not in content["application/json"]] == []


def test_each_example_is_what_its_schema_says(schema: dict[str, Any]) -> None:
    examples = list(_examples(schema))
    assert len(examples) > 50
    for name, content in examples:
        rules = {**content["schema"], "components": schema["components"]}
        wrong = [error.message for error in Draft202012Validator(rules).iter_errors(content["example"])]
        assert wrong == [], name


def test_bodies_of_examples_are_taken_by_the_routes_that_show_them(shop: Shop) -> None:
    bodies = json.loads((Path(settings.BASE_DIR) / "config" / "document_examples" / "bodies.json").read_text())
    assert shop.api.post("/v1/quotes", bodies["create_quote"]).status == 201
    assert shop.api.post("/v1/wallets", bodies["open_wallet"]).status == 201
    order = {**bodies["submit_order"], "quote_id": quoted(shop.api)["quote_id"]}
    assert shop.api.post("/v1/orders", order).status == 202
    house = open_house()
    assert house.post("/v1/accounts", bodies["open_account"]).status == 201
    assert house.post("/v1/transactions", bodies["post_transaction"]).status == 201
    listed = house.post("/v1/transactions/bulk", bodies["post_transactions"])
    assert (listed.status, len(listed.json["data"])) == (200, 1)
    for name, path in (("create_transfer", "/v1/transfers"), ("create_payout", "/v1/payouts")):
        refused = shop.api.post(path, bodies[name])
        assert (refused.status, refused.code) == (404, "not_found"), "its shape is right; its wallets are nobody's"
    many = shop.api.post("/v1/transfers/bulk", bodies["create_transfers"])
    assert (many.status, many.json["data"][0]["error"]["code"]) == (200, "not_found")


def _examples(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in schema["paths"].values():
        for operation in path.values():
            answers = {status: answer for status, answer in operation["responses"].items() if status.startswith("2")}
            for status, carried in {**answers, "asked": operation.get("requestBody", {})}.items():
                content = carried.get("content", {}).get("application/json", {})
                if "example" in content:
                    yield f"{operation['operationId']} {status}", content
