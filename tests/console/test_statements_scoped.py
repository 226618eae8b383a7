"""The account's page as of a block or a date and of a period, and its CSV."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.urls import reverse

from ledger import accounts, seals
from ledger.accounts import Opening
from tests.console.test_ledger_pages import SignIn, cells, page, sheet
from tests.ledger.door import Item, Move, codes

pytestmark = pytest.mark.usefixtures("database")

BANK, U1 = "bank:b1", "users:u1:available"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def client(database: None, signed_in: SignIn) -> Client:
    """100.00 came in on Monday 2 March, 5.00 on Tuesday, 0.50 on Wednesday."""
    kinds = {BANK: accounts.BANK, U1: accounts.USER}
    openings = [Opening(address, "EUR", kind) for address, kind in kinds.items()]
    accounts.open_accounts(environment="test", openings=openings)
    for day, amount in enumerate((10_000, 500, 50)):
        assert codes(Item(f"d{day}", [Move(BANK, U1, amount)], effective_at=NOON + timedelta(days=day))) == ["created"]
    return signed_in("fay", "finance")


def shown(client: Client, query: str) -> str:
    return page(client, "ledger-account", "test", "EUR", U1, query=query)


def stands(text: str) -> list[tuple[str, str]]:
    """Return the opening, each line's kind and the closing, with the credits posted."""
    table = text[text.index('id="statement"') :]
    return [(row[0] if len(row) == 5 else row[5], row[-3]) for row in cells(table) if len(row) in (5, 11)][1:]


def test_the_page_shows_the_statement_that_its_filters_say(client: Client) -> None:
    period = shown(client, "?from=2026-03-03&to=2026-03-03")
    assert stands(period) == [("Opening", "100.00"), ("5.00", "105.00"), ("Closing", "105.00")]
    assert "2026-03-03 to 2026-03-03" in period
    assert "provisional" in period
    day = shown(client, "?date=2026-03-03")
    assert stands(day) == [("Opening", "0"), ("100.00", "100.00"), ("5.00", "105.00"), ("Closing", "105.00")]
    block = seals.seal("test")
    assert block is not None
    codes(Item("late", [Move(BANK, U1, 1)], effective_at=NOON))
    sealed = shown(client, "?block=1")
    assert stands(sealed)[-1] == ("Closing", "105.50")
    assert block.root in sealed
    assert "final" in sealed
    assert stands(shown(client, ""))[-1] == ("Closing", "105.51")


def test_the_filters_keep_to_the_account_of_the_page(client: Client) -> None:
    text = shown(client, "?environment=live&asset=JPY&date=2026-03-02")
    assert stands(text)[-1] == ("Closing", "100.00")
    assert '<select class="hf-in" name="environment"' not in text
    assert '<input class="hf-in" type="date" name="from"' in text


@pytest.mark.parametrize(
    "query", ["from=2026-03-03&to=2026-03-02", "block=9", "block=x", "date=nonsense", "block=1&date=2026-03-02"]
)
def test_what_makes_no_sense_is_told_and_now_is_shown(client: Client, query: str) -> None:
    text = shown(client, f"?{query}")
    assert "Shown is now." in text
    assert stands(text)[-1] == ("Closing", "105.50")


def test_csv_is_of_the_same_scope(client: Client) -> None:
    text = shown(client, "?from=2026-03-03&to=2026-03-04")
    link = html.unescape(re.findall(r'href="([^"]*format=csv[^"]*)"', text)[0])
    url = reverse("admin:ledger-account", args=["test", "EUR", U1]) + link
    assert [(row["key"], row["credits_posted_after"]) for row in sheet(client, url)] == [
        ("d1", "105.00"),
        ("d2", "105.50"),
    ]
    assert "2026-03-03-to-2026-03-04" in client.get(url)["Content-Disposition"]


def test_next_page_stays_in_the_period(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.console.book._LINES", 1)
    first = shown(client, "?from=2026-03-03&to=2026-03-04")
    assert stands(first) == [("Opening", "100.00"), ("5.00", "105.00"), ("Closing", "105.00")]
    link = html.unescape(re.findall(r'href="([^"]*)">Next page', first)[0])
    second = shown(client, link)
    assert stands(second) == [("Opening", "105.00"), ("0.50", "105.50"), ("Closing", "105.50")]
    assert "Next page" not in second
    newest = shown(client, "")
    assert stands(newest) == [("Opening", "105.00"), ("0.50", "105.50"), ("Closing", "105.50")]


def test_the_page_takes_few_queries_in_a_scope(
    client: Client, django_assert_max_num_queries: Callable[..., object]
) -> None:
    url = reverse("admin:ledger-account", args=["test", "EUR", U1]) + "?from=2026-03-03&to=2026-03-04"
    with django_assert_max_num_queries(20):  # type: ignore[attr-defined]  # a context manager
        assert client.get(url).status_code == 200
