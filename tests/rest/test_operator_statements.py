"""An operator reads its own statement, the house any; nobody reads another's."""

import csv
import io

import pytest

from ledger.controls import clock, drains
from reconciliation.statement_views import MovementSum, OperatorStatementAnswer, StatementPart
from tests.rest.calls import Api, ordered
from tests.rest.conftest import Shop, open_house
from tests.rest.tables import fingerprint
from wallets import operators
from wallets.models import Operator


def _today() -> str:
    return clock.now().date().isoformat()


def test_an_operator_reads_what_it_owes(shop: Shop, rival: Shop) -> None:
    order = ordered(shop.api, partner_order_id="shop-statement")
    drains.drain("sagas")
    answer = shop.api.get(f"/v1/statements?date={_today()}")
    assert answer.status == 200
    told = answer.json
    assert set(told) == set(OperatorStatementAnswer().fields)
    assert (told["operator_id"], told["environment"], told["provisional"]) == (shop.operator.reference, "test", True)
    (part,) = told["data"]
    assert set(part) == set(StatementPart().fields)
    assert {key: part[key] for key in ("asset", "opening", "closing", "settled_since", "net_settlement", "pays")} == {
        "asset": "EUR",
        "opening": "0.00",
        "closing": "100.00",
        "settled_since": "0.00",
        "net_settlement": "100.00",
        "pays": "you",
    }
    assert set(part["movements"][0]) == set(MovementSum().fields)
    assert part["movements"] == [{"kind": "debit", "count": 1, "owed_to_us": "100.00", "owed_to_you": "0.00"}]
    lines = shop.api.get(f"/v1/statements/lines.csv?date={_today()}")
    assert lines.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in lines.headers["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(lines.body.decode()))
    assert (row["order_id"], row["partner_order_id"], row["amount"]) == (order["order_id"], "shop-statement", "100.00")
    for inside in ("bank:", "transit", "operators:", "pools:", "gateway", "ORDER_DEBIT"):
        assert inside not in (answer.body + lines.body).decode()

    page = shop.api.get(f"/v1/statements/printable?date={_today()}")
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    for told in (
        shop.operator.name,
        "100.00",
        "debit",
        order["order_id"],
        "shop-statement",
        "you pay us",
        "provisional",
    ):
        assert told in page.body.decode(), told
    for inside in ("bank:", "transit", "operators:", "pools:", "gateway", "ORDER_DEBIT"):
        assert inside not in page.body.decode()
    assert "Nothing moved" in rival.api.get(f"/v1/statements/printable?date={_today()}").body.decode()

    assert rival.api.get(f"/v1/statements?date={_today()}").json["data"] == []
    assert len(rival.api.get(f"/v1/statements/lines.csv?date={_today()}").body.splitlines()) == 1
    assert shop.key(environment="live").get(f"/v1/statements?date={_today()}").json["data"] == []
    assert len(shop.key(environment="live").get(f"/v1/statements/lines.csv?date={_today()}").body.splitlines()) == 1


@pytest.mark.parametrize("path", ["/v1/statements", "/v1/statements/lines.csv", "/v1/statements/printable"])
def test_anothers_statement_is_not_there(shop: Shop, rival: Shop, path: str) -> None:
    before = fingerprint()
    for reference in (rival.operator.reference, "op_nobody", "x"):
        answer = shop.api.get(f"{path}?date={_today()}&operator_id={reference}")
        assert (answer.status, answer.code) == (404, "not_found")
    assert shop.api.get(f"{path}?date={_today()}&operator_id={shop.operator.reference}").status == 200
    assert shop.key(scopes=["orders"]).get(f"{path}?date={_today()}").code == "scope_missing"
    assert fingerprint() == before


def test_the_house_reads_any_operators(shop: Shop) -> None:
    ordered(shop.api)
    drains.drain("sagas")
    house = open_house()
    query = f"date={_today()}&operator_id={shop.operator.reference}"
    assert house.get(f"/v1/statements?{query}").json == shop.api.get(f"/v1/statements?date={_today()}").json
    assert house.get(f"/v1/statements/lines.csv?{query}").status == 200
    assert house.get(f"/v1/statements?date={_today()}").json["data"] == []  # nobody owes the house itself
    assert house.get(f"/v1/statements?date={_today()}&operator_id=op_nobody").status == 404
    assert open_house(environment="live").get(f"/v1/statements?{query}").json["data"] == []
    reading = operators.issue_key(
        operator=Operator.objects.get(kind=Operator.Kind.HOUSE),
        environment="test",
        label="no finance",
        scopes=["read"],
        created_by="test",
        now=clock.now(),
    )
    assert Api(reading.secret).get(f"/v1/statements?{query}").code == "scope_missing"


_DAY = "date=2026-01-01"


@pytest.mark.parametrize(
    "query", ["", "date=", "date=yesterday", "date=2026-13-01", "date=1066-10-14", f"{_DAY}&x=1", f"{_DAY}&{_DAY}"]
)
@pytest.mark.parametrize("path", ["/v1/statements", "/v1/statements/lines.csv", "/v1/statements/printable"])
def test_a_query_that_says_nothing_sensible_is_refused(shop: Shop, path: str, query: str) -> None:
    answer = shop.api.get(f"{path}?{query}")
    assert (answer.status, answer.code) == (400, "malformed")
