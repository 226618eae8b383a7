"""The reports through REST, for the scope `finance`: what the book says, as of a block, a date or a period."""

import csv
import io
from datetime import UTC, datetime

import pytest

from ledger import accounts, periods, seals
from ledger.accounts import Opening
from ledger.controls import clock
from tests.ledger.door import Item, Move, codes
from tests.rest.calls import Answer, Api
from tests.rest.conftest import open_house
from tests.rest.tables import fingerprint
from wallets import operators
from wallets.models import Operator

pytestmark = pytest.mark.usefixtures("database")

BANK, U1, TRANSIT = "bank:b1", "users:u1:available", "transit:transfers"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def finance(database: None) -> Api:
    """A key with the scope finance alone, and a book: 100.00 came in on Monday, 20.00 of it are held."""
    kinds = {BANK: accounts.BANK, U1: accounts.USER, TRANSIT: accounts.TRANSFER_TRANSIT_KIND}
    accounts.open_accounts(
        environment="test", openings=[Opening(address, "EUR", kind) for address, kind in kinds.items()]
    )
    assert codes(
        Item("in", [Move(BANK, U1, 10_000)], effective_at=NOON), Item("held", [Move(U1, TRANSIT, 2_000)], "reserve")
    ) == ["created", "created"]
    open_house()
    issued = operators.issue_key(
        operator=Operator.objects.get(kind=Operator.Kind.HOUSE),
        environment="test",
        label="finance",
        scopes=["finance"],
        created_by="test",
        now=clock.now(),
    )
    return Api(issued.secret)


def test_the_trial_balance_sums_to_zero_and_says_what_it_is_of(finance: Api) -> None:
    told = finance.get("/v1/reports/trial-balance").json
    assert (told["as_of"], told["provisional"], told["ledger_root"], told["zero_sum"]) == ("now", True, "", True)
    assert [(line["gl_code"], line["debit_balance"], line["credit_balance"]) for line in told["data"]] == [
        ("1000", "100.00", "0.00"),
        ("2005", "0.00", "100.00"),
        ("2910", "0.00", "0.00"),
    ]
    assert told["totals"] == [
        {
            "asset": "EUR",
            "debits_posted": "100.00",
            "credits_posted": "100.00",
            "debits_pending": "20.00",
            "credits_pending": "20.00",
            "debit_balance": "100.00",
            "credit_balance": "100.00",
            "zero_sum": True,
        }
    ]


def test_a_report_of_a_block_stays_the_same_when_more_is_posted(finance: Api) -> None:
    block = seals.seal("test")
    assert block is not None
    first = {name: finance.get(f"/v1/reports/{name}?block=1").body for name in ("trial-balance", "alm", "balances")}
    told = finance.get("/v1/reports/alm?block=1").json
    assert (told["as_of"], told["provisional"], told["ledger_root"]) == ("block 1", False, block.root)
    codes(Item("more", [Move(BANK, U1, 1)]))
    seals.seal("test")
    assert {name: finance.get(f"/v1/reports/{name}?block=1").body for name in first} == first
    assert finance.get("/v1/reports/alm").json["data"][0]["covers"] == "100.01"


def test_a_report_of_a_date_is_final_when_it_is_locked(finance: Api) -> None:
    path = "/v1/reports/alm?date=2026-03-02&asset=EUR"
    before = finance.get(path).json
    periods.lock("test", NOON.date(), "user:f", NOON)
    after = finance.get(path).json
    assert (before["provisional"], after["provisional"], after["data"]) == (True, False, before["data"])
    (euro,) = after["data"]
    assert [euro[part] for part in ("covers", "owed", "in_flight", "surplus", "zero_sum")] == [
        "100.00",
        "100.00",
        "0.00",
        "0.00",
        True,
    ]
    assert all(line["pending"] == "0.00" for line in euro["lines"])  # the hold came later
    period = finance.get("/v1/reports/balances?from=2026-03-03&to=2200-01-01").json
    assert [(row["address"], row["debits_posted"], row["debits_pending"]) for row in period["data"]] == [
        (BANK, "0.00", "0.00"),
        (TRANSIT, "0.00", "0.00"),
        (U1, "0.00", "20.00"),
    ]


def test_balances_come_in_pages_and_open_into_statements(finance: Api) -> None:
    rows, after = [], None
    for n in range(3):
        page = finance.get("/v1/reports/balances?limit=1" + (f"&after={after}" if n else "")).json
        rows += page["data"]
        after = page["next"]
    assert [(row["address"], row["balance"]) for row in rows] == [(BANK, "100.00"), (TRANSIT, "0.00"), (U1, "100.00")]
    assert after is None
    lines = finance.get(f"/v1/reports/statements/{U1}?asset=EUR").json["data"]
    assert [(line["key"], line["posted"], line["pending"]) for line in lines] == [
        ("in", "100.00", "0.00"),
        ("held", "0.00", "20.00"),
    ]
    assert [row["address"] for row in finance.get("/v1/reports/balances?workflow_view=wallets").json["data"]] == [U1]
    assert [row["address"] for row in finance.get("/v1/reports/balances?gl_code=1000").json["data"]] == [BANK]


def test_finance_reads_and_does_not_post_when_it_has_no_other_scope(finance: Api) -> None:
    before = fingerprint()
    for answer in (
        finance.get("/v1/accounts"),
        finance.get("/v1/transactions"),
        finance.post("/v1/transactions", {}),
        finance.post("/v1/accounts", {}),
    ):
        assert (answer.status, answer.code, answer.json["scope"]) == (403, "scope_missing", "ledger")
    assert fingerprint() == before


def test_a_report_tells_nothing_of_the_other_book(finance: Api) -> None:
    seals.seal("test")
    live = open_house(environment="live")
    for name in ("trial-balance", "alm", "balances"):
        assert live.get(f"/v1/reports/{name}").json["data"] == []
        assert live.get(f"/v1/reports/{name}?block=1").status == 404
    assert live.get(f"/v1/reports/statements/{U1}?asset=EUR").status == 404


@pytest.mark.parametrize(
    "query, status, code",
    [
        ("block=0", 400, "malformed"),
        ("block=x", 400, "malformed"),
        ("block=1.5", 400, "malformed"),
        ("block=7", 404, "not_found"),
        ("block=1&date=2026-03-02", 400, "malformed"),
        ("date=2026-02-30", 400, "malformed"),
        ("date=2026-03-02T00:00:00Z", 400, "malformed"),
        ("date=1066-10-14", 400, "malformed"),
        ("from=2026-03-02", 400, "malformed"),
        ("to=2026-03-02", 400, "malformed"),
        ("from=2026-03-03&to=2026-03-02", 400, "malformed"),
        ("date=2026-03-02&date=2026-03-02", 400, "malformed"),
        ("asset=EUR%00", 400, "malformed"),
        ("what=1", 400, "malformed"),
    ],
)
def test_a_report_is_refused_when_its_question_is_bad(finance: Api, query: str, status: int, code: str) -> None:
    for name in ("trial-balance", "alm", "balances"):
        answer = finance.get(f"/v1/reports/{name}?{query}")
        assert (answer.status, answer.code) == (status, code), name
    if query == "what=1":
        for more in ("after=x", "limit=0", "limit=501", "after=%00|EUR"):
            answer = finance.get(f"/v1/reports/balances?{more}")
            assert answer.status == 400, more


def _rows(answer: Answer) -> list[dict[str, str]]:
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.DictReader(io.StringIO(answer.body.decode())))


def test_a_report_is_a_file_too_and_says_what_the_answer_says(finance: Api) -> None:
    for name, columns in (
        ("balances", ("address", "asset", "debits_posted", "credits_posted", "balance")),
        ("trial-balance", ("gl_code", "asset", "debit_balance", "credit_balance")),
    ):
        told, rows = (
            finance.get(f"/v1/reports/{name}?asset=EUR").json,
            _rows(finance.get(f"/v1/reports/{name}.csv?asset=EUR")),
        )
        assert [[row[column] for column in columns] for row in rows] == [
            [line[column] for column in columns] for line in told["data"]
        ]
        assert len(rows) > 1
    (one,) = finance.get("/v1/reports/alm?asset=EUR").json["data"]
    alm = _rows(finance.get("/v1/reports/alm.csv?asset=EUR"))
    assert [row["posted"] for row in alm] == [line["amount"] for line in one["lines"]]


def test_a_statement_is_a_file_too_in_a_scope_or_whole(finance: Api) -> None:
    lines = finance.get(f"/v1/reports/statements/{U1}?asset=EUR").json["data"]
    rows = _rows(finance.get(f"/v1/reports/statements/{U1}/csv?asset=EUR"))
    assert [row["ledger_id"] for row in rows] == [line["ledger_id"] for line in lines]
    assert rows
    assert _rows(finance.get(f"/v1/reports/statements/{U1}/csv?asset=EUR&from=2199-01-01&to=2199-01-02")) == []


@pytest.mark.parametrize("path", ["balances.csv?block=999", "statements/users:nobody:available/csv?asset=EUR"])
def test_a_file_of_what_is_not_there_is_not_found(finance: Api, path: str) -> None:
    assert finance.get(f"/v1/reports/{path}").status == 404
