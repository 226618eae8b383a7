"""What every answer below /v1 has, whatever it is: a request id, a problem's shape, no internals."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.db import OperationalError
from django.test import RequestFactory, override_settings

from ledger.controls.rest import shapes
from orders.intent_shapes import DryRunQuery
from tests.rest.calls import QUOTE, Api
from tests.rest.conftest import Shop

SECRET_OF_A_DEFECT = "password=hunter2 at /srv/house"


@pytest.mark.parametrize("given", ["abc", "A.b_c-9", "x" * 128])
def test_the_request_id_goes_out_again_when_one_comes_in(shop: Shop, given: str) -> None:
    assert shop.api.get("/v1/pools", X_Request_Id=given).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 129, "with blank", "ümlaut", "semi;colon", "new\\nline"])
def test_a_request_id_is_made_when_what_comes_in_is_none(shop: Shop, given: str) -> None:
    answer = shop.api.get("/v1/pools", X_Request_Id=given)
    assert answer.status == 200
    assert answer.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize(
    "method, path, headers, status, code",
    [
        ("GET", "/v1/nothing", {}, 404, "no_such_route"),
        ("POST", "/v1/quotes/", {}, 404, "no_such_route"),
        ("GET", "/v1/orders/nothing", {}, 404, "no_such_route"),
        ("GET", "/v1/orders/ord_%00", {}, 404, "no_such_route"),
        ("GET", "/v1/orders/%ff%fe", {}, 404, "no_such_route"),
        ("GET", "/v1/orders/ord_01kad00f8xm3v6y2q4t5n7w9bz", {}, 404, "not_found"),
        ("GET", "/v1/pools/NOPE", {}, 404, "not_found"),
        ("GET", "/v1/operations/never-sent", {}, 404, "not_found"),
        ("PUT", "/v1/orders", {}, 405, "method_not_allowed"),
        ("PATCH", "/v1/pools", {}, 405, "method_not_allowed"),
        ("OPTIONS", "/v1/pools", {}, 405, "method_not_allowed"),
        ("TRACE", "/v1/pools", {}, 405, "method_not_allowed"),
        ("POST", "/v1", {}, 405, "method_not_allowed"),
        ("POST", "/v1/", {}, 405, "method_not_allowed"),
        ("POST", "/v1/schema", {}, 405, "method_not_allowed"),
        ("POST", "/v1/docs", {}, 405, "method_not_allowed"),
        ("GET", "/v1/pools", {"Accept": "text/html"}, 406, "not_acceptable"),
        ("GET", "/v1/docs", {"Accept": "image/png"}, 406, "not_acceptable"),
        ("GET", "/v1/pools?limit=1", {}, 400, "malformed"),
        ("GET", "/v1/orders?limit=0", {}, 400, "malformed"),
        ("GET", "/v1/orders?limit=101", {}, 400, "malformed"),
        ("GET", "/v1/orders?limit=%D9%A3", {}, 400, "malformed"),
        ("GET", "/v1/orders?limit=1&limit=2", {}, 400, "malformed"),
        ("GET", "/v1/orders?status=lost", {}, 400, "malformed"),
        ("GET", "/v1/orders?partner_order_id=%00", {}, 400, "malformed"),
        ("GET", "/v1/orders?colour=red", {}, 400, "malformed"),
        ("GET", "/v1/orders?after=nonsense", {}, 400, "malformed_cursor"),
        ("GET", "/v1/orders?after=%00", {}, 400, "malformed"),
        ("GET", "/v1/orders?after=b3JkXzAxa2FkMDBmOHhtM3Y2eTJxNHQ1bjd3OWJ6", {}, 400, "malformed_cursor"),
    ],
)
def test_a_problem_is_answered_when_the_request_fits_no_route(
    shop: Shop, method: str, path: str, headers: dict[str, str], status: int, code: str
) -> None:
    answer = shop.api.call(method, path, headers=headers)
    assert (answer.status, answer.code) == (status, code)
    assert answer.headers["X-Request-Id"] == answer.json["request_id"]
    assert "Traceback" not in answer.body.decode()


@pytest.mark.parametrize(
    "authorization, code",
    [
        ("", "not_authenticated"),
        ("Bearer hf_test_" + "a" * 56, "authentication_failed"),
        ("Bearer hf_test_short", "authentication_failed"),
        ("bearer x", "authentication_failed"),
        ("Basic YTpi", "authentication_failed"),
        ("Bearer hf_test_\u0661" + "a" * 30, "authentication_failed"),
    ],
)
def test_a_caller_is_refused_when_the_key_is_none_of_ours(database: None, authorization: str, code: str) -> None:
    answer = Api().get("/v1/orders", Authorization=authorization)
    assert (answer.status, answer.code) == (401, code)
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["bearer ", "BEARER ", "Bearer  "])
def test_the_scheme_s_name_has_no_case(shop: Shop, scheme: str) -> None:
    answer = shop.api.get("/v1/pools", Authorization=f"{scheme}{shop.api.secret}")
    assert answer.status == 200


def test_the_scope_is_named_when_the_key_lacks_it(shop: Shop) -> None:
    reader = shop.key(scopes=["read"])
    answer = reader.post("/v1/quotes", QUOTE)
    assert (answer.status, answer.code, answer.json["scope"]) == (403, "scope_missing", "quotes")
    assert shop.key(scopes=["quotes"]).get("/v1/quotes").json["scope"] == "read"
    assert reader.get("/v1/quotes").status == 200


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_is_refused_when_it_is_not_said_to_be_json(shop: Shop, content_type: str) -> None:
    answer = shop.api.call(
        "POST", "/v1/quotes", b'{"a": 1}', content_type=content_type, headers={"Idempotency-Key": "k"}
    )
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


def test_a_body_is_refused_when_it_is_not_in_utf_8(shop: Shop) -> None:
    answer = shop.api.call("POST", "/v1/quotes", b"{}", content_type="application/json; charset=latin-1")
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("body", [b"{", b'{"a": NaN}', b"\xff", b"[" * 9_000, b'{"a": 1, "a": 2}', b'"\\ud800"'])
def test_a_body_is_refused_when_it_is_not_json(shop: Shop, body: bytes) -> None:
    answer = shop.api.call("POST", "/v1/quotes", body, headers={"Idempotency-Key": "k"})
    assert (answer.status, answer.code) == (400, "malformed_json")


def test_a_body_is_refused_when_its_length_is_unknown(shop: Shop) -> None:
    answer = shop.api.call(
        "POST", "/v1/quotes", headers={"Idempotency-Key": "k", "Transfer-Encoding": "chunked", "Content-Length": ""}
    )
    assert (answer.status, answer.code) == (411, "length_required")


@override_settings(REST_BODY_LIMIT=1024)
def test_a_body_is_refused_when_it_is_over_the_limit(shop: Shop) -> None:
    answer = shop.api.call("POST", "/v1/quotes", b" " * 1025, headers={"Idempotency-Key": "k"})
    assert (answer.status, answer.code, answer.json["limit"]) == (413, "body_too_large", 1024)
    assert shop.api.call("POST", "/v1/quotes", b" " * 1024, headers={"Idempotency-Key": "k"}).status == 400


def test_nothing_of_a_defect_is_told_when_one_happens(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("orders.views.capabilities", _raising(ValueError(SECRET_OF_A_DEFECT)))
    answer = shop.api.get("/v1/capabilities", X_Request_Id="find-me")
    assert (answer.status, answer.code) == (500, "defect")
    assert set(answer.json) == {"type", "title", "status", "code", "request_id"}
    assert answer.headers["X-Request-Id"] == "find-me"
    assert SECRET_OF_A_DEFECT in caplog.text


def test_the_caller_may_try_again_when_the_database_is_gone(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.views.capabilities", _raising(OperationalError("server closed the connection")))
    answer = shop.api.get("/v1/capabilities")
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (503, "unavailable", "1")
    assert "closed" not in answer.body.decode()


def test_the_host_is_refused_when_it_is_not_ours(shop: Shop) -> None:
    answer = shop.api.get("/v1/pools", Host="evil.example")
    assert (answer.status, answer.code) == (400, "malformed")


def test_the_console_keeps_its_own_pages_when_something_is_not_found(database: None) -> None:
    answer = Api().get("/nothing")
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize("path", ["/v1", "/v1/"])
def test_the_way_on_is_told_when_rest_is_asked_without_a_route(database: None, path: str) -> None:
    answer = Api().get(path)
    assert (answer.status, answer.json) == (
        200,
        {
            "name": "Holdfast",
            "version": "v1",
            "console": "/console/",
            "docs": "/v1/docs",
            "document": "/v1/schema",
            "health": "/readyz",
        },
    )
    assert [Api().get(answer.json[place]).status for place in ("docs", "document", "health")] == [200, 200, 200]


def test_a_page_leads_on_when_the_address_is_opened_without_a_path(database: None) -> None:
    answer = Api().get("/", Accept="text/html")
    assert answer.status == 200
    links = re.findall(r'href="([^"]+)"', answer.body.decode())
    assert links == ["/console/", "/v1/docs", "/v1/schema", "/readyz"]
    assert Api().get("/console/").status == 302, "to the log-in"
    assert "Set-Cookie" not in answer.headers
    assert Api().post("/", {}).status == 405


def test_answers_are_not_stored_when_somebody_stands_between(shop: Shop) -> None:
    assert shop.api.get("/v1/pools").headers["Cache-Control"] == "no-store"
    assert shop.api.get("/v1/nothing").headers["Cache-Control"] == "no-store"


def _raising(error: Exception) -> Callable[..., None]:
    def raise_it(*_: object, **__: object) -> None:
        raise error

    return raise_it


def test_what_a_query_reads_where_none_is_given_is_each_requests_own() -> None:
    first = dict(_read_nothing())
    read = _read_nothing()
    assert isinstance(read, dict)
    read["dry_run"] = True
    assert _read_nothing() == first == {"dry_run": False}


def _read_nothing() -> Mapping[str, Any]:
    return shapes.read_query(RequestFactory().post("/v1/transfers"), DryRunQuery)
