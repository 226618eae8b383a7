"""A problem says what is off with the request, points at the field, and names what would be taken."""

import pytest

from tests.rest.calls import QUOTE
from tests.rest.conftest import Shop


@pytest.mark.parametrize(
    ("amount", "code", "detail"),
    [
        ("1.00", "amount_too_small", "This pool trades from 1.00 EUR on."),
        ("0.01", "amount_too_small", "The fees are as large as the amount."),
        ("100000.00", "amount_too_large", "This pool trades up to 50000.00 EUR."),
    ],
)
def test_an_amount_out_of_the_pool_s_bounds_names_the_bound(shop: Shop, amount: str, code: str, detail: str) -> None:
    answer = shop.api.post("/v1/quotes", {**QUOTE, "source_amount": amount})
    assert (answer.status, answer.code, answer.json["detail"]) == (422, code, detail)
    assert answer.json["errors"] == {"source_amount": [detail]}


def test_a_word_that_is_none_of_a_closed_set_is_answered_with_the_set(shop: Shop) -> None:
    answer = shop.api.post("/v1/quotes", {**QUOTE, "side": "sideways"})
    assert (answer.status, answer.json["errors"]) == (400, {"side": ["One of these is needed: buy, sell, redemption."]})
    number = shop.api.post("/v1/quotes", {**QUOTE, "side": 7})
    assert number.json["errors"] == answer.json["errors"]
    listed = shop.api.get("/v1/orders?status=lost")
    assert "manual_review" in listed.json["errors"]["status"][0]
