"""The request log: one row per authenticated request, and never in an answer's way."""

import pytest

from tests.rest.calls import QUOTE, Api
from tests.rest.conftest import Shop
from wallets.models import ApiRequest, OperatorKey


def test_each_request_has_its_row_when_its_key_is_known(shop: Shop) -> None:
    first = shop.api.post("/v1/quotes", QUOTE, key="one", X_Request_Id="r-1")
    quote = first.json["quote_id"]
    shop.api.post("/v1/quotes", QUOTE, key="one", X_Request_Id="r-2")
    shop.api.post("/v1/quotes", {**QUOTE, "side": "x"}, key="two", X_Request_Id="r-3")
    shop.api.post("/v1/quotes", {**QUOTE, "firm": False}, key="one", X_Request_Id="r-4")
    shop.api.get(f"/v1/quotes/{quote}", X_Request_Id="r-5")
    shop.api.call("PUT", "/v1/quotes", headers={"X-Request-Id": "r-6"})
    shop.key(scopes=[]).get("/v1/quotes", X_Request_Id="r-7")
    key = OperatorKey.objects.order_by("pk").first()
    assert key is not None
    rows = list(ApiRequest.objects.order_by("pk"))
    assert [
        (row.request_id, row.method, row.route, row.subject, row.idempotency_key, row.replay, row.status)
        for row in rows
    ] == [
        ("r-1", "POST", "/v1/quotes", quote, "one", "first", 201),
        ("r-2", "POST", "/v1/quotes", quote, "one", "replay", 201),
        ("r-3", "POST", "/v1/quotes", "", "", "none", 400),
        ("r-4", "POST", "/v1/quotes", "", "one", "conflict", 409),
        ("r-5", "GET", "/v1/quotes/{quote_id}", quote, "", "none", 200),
        ("r-6", "PUT", "/v1/quotes", "", "", "none", 405),
        ("r-7", "GET", "/v1/quotes", "", "", "none", 403),
    ]
    assert {(row.operator_id, row.environment) for row in rows} == {(shop.operator.pk, "test")}
    assert {row.key_id for row in rows[:6]} == {key.pk}
    assert all(row.duration_ms < 10_000 and row.received_at for row in rows)


def test_a_defect_has_its_row_when_it_happens(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders.views.capabilities", lambda caller: 1 / 0)
    assert shop.api.get("/v1/capabilities").status == 500
    assert ApiRequest.objects.get().status == 500


def test_no_row_is_written_when_nobody_is_known(shop: Shop) -> None:
    assert Api("hf_test_" + "a" * 56).get("/v1/quotes").status == 401
    assert Api().get("/v1/nothing").status == 404
    assert Api().get("/livez").status == 200
    assert not ApiRequest.objects.exists()


def test_the_answer_goes_out_when_its_row_cannot_be_written(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallets.request_log._INSERT", "INSERT INTO no_such_table SELECT %s" + ", %s" * 12)
    assert shop.api.get("/v1/pools").status == 200
    assert not ApiRequest.objects.exists()
