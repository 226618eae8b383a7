"""The account statement through REST as of a block or a date and of a period."""

from datetime import UTC, datetime, timedelta

import pytest

from ledger import accounts, periods, seals
from ledger.accounts import Opening
from tests.ledger.door import Item, Move, codes
from tests.rest.calls import Api
from tests.rest.conftest import open_house

pytestmark = pytest.mark.usefixtures("database")

BANK, U1 = "bank:b1", "users:u1:available"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PATH = f"/v1/reports/statements/{U1}?asset=EUR"


@pytest.fixture
def house(database: None) -> Api:
    """A house key, and a book: 100.00 came in on Monday 2 March, 5.00 on Tuesday, 0.50 on Wednesday."""
    kinds = {BANK: accounts.BANK, U1: accounts.USER}
    accounts.open_accounts(
        environment="test", openings=[Opening(address, "EUR", kind) for address, kind in kinds.items()]
    )
    for day, amount in enumerate((10_000, 500, 50)):
        assert codes(Item(f"d{day}", [Move(BANK, U1, amount)], effective_at=NOON + timedelta(days=day))) == ["created"]
    return open_house()


def test_a_period_has_its_opening_its_lines_and_its_closing(house: Api) -> None:
    told = house.get(f"{PATH}&from=2026-03-03&to=2026-03-03").json
    assert (told["as_of"], told["provisional"], told["ledger_root"]) == ("2026-03-03 to 2026-03-03", True, "")
    assert [told[name]["credits_posted"] for name in ("opening", "closing")] == ["100.00", "105.00"]
    assert [(line["key"], line["posted"], line["after"]["credits_posted"]) for line in told["data"]] == [
        ("d1", "5.00", "105.00")
    ]
    assert told["next"] is None


def test_a_block_and_a_locked_date_are_final(house: Api) -> None:
    block = seals.seal("test")
    assert block is not None
    codes(Item("late", [Move(BANK, U1, 1)], effective_at=NOON))
    told = house.get(f"{PATH}&block=1").json
    assert (told["as_of"], told["provisional"], told["ledger_root"]) == ("block 1", False, block.root)
    assert [line["key"] for line in told["data"]] == ["d0", "d1", "d2"]
    assert told["closing"]["credits_posted"] == "105.50"
    periods.lock("test", NOON.date(), "user:f", NOON)
    told = house.get(f"{PATH}&date=2026-03-02").json
    assert (told["as_of"], told["provisional"]) == ("the end of 2026-03-02", False)
    assert [line["key"] for line in told["data"]] == ["d0", "late"]
    now = house.get(PATH).json
    assert (now["as_of"], now["provisional"], now["closing"]["credits_posted"]) == ("now", True, "105.51")


def test_pages_in_a_period_follow_their_cursor(house: Api) -> None:
    asked = f"{PATH}&from=2026-03-03&to=2026-03-04&limit=1"
    first = house.get(asked).json
    second = house.get(f"{asked}&after={first['next']}").json
    assert [line["key"] for page in (first, second) for line in page["data"]] == ["d1", "d2"]
    assert second["opening"] == first["closing"]
    assert second["next"] is None


@pytest.mark.parametrize(
    "query, status, code",
    [
        ("from=2026-03-03&to=2026-03-02", 400, "malformed"),
        ("from=2026-03-02", 400, "malformed"),
        ("to=2026-03-02", 400, "malformed"),
        ("block=0", 400, "malformed"),
        ("block=x", 400, "malformed"),
        ("block=7", 404, "not_found"),
        ("block=1&date=2026-03-02", 400, "malformed"),
        ("date=2026-02-30", 400, "malformed"),
        ("date=yesterday", 400, "malformed"),
        ("date=1066-10-14", 400, "malformed"),
        ("date=2026-03-02&after=x", 400, "malformed_cursor"),
        ("date=2026-03-02&limit=501", 400, "malformed"),
    ],
)
def test_a_statement_is_refused_when_its_question_is_bad(house: Api, query: str, status: int, code: str) -> None:
    answer = house.get(f"{PATH}&{query}")
    assert (answer.status, answer.code) == (status, code)


def test_a_statement_needs_its_asset_and_its_account(house: Api) -> None:
    for path, status in (
        (f"/v1/reports/statements/{U1}?date=2026-03-02", 400),
        ("/v1/reports/statements/users:nobody:available?asset=EUR&date=2026-03-02", 404),
    ):
        assert house.get(path).status == status
