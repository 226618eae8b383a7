"""Every page of the console, with rows of everything, asks few questions: of lists, of searches, of records (F12)."""

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import psycopg
import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db import transaction as db_transaction
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ledger import adjustments
from ledger.accounts import OUTSIDE, WORLD, Opening, open_accounts
from ledger.console import urls as ledger_urls
from ledger.controls import clock
from ledger.controls.clock import DatabaseClock
from ledger.controls.console import ReadOnlyAdmin
from ledger.drafts import Draft
from ledger.models import ChartVersion, Claim, PostingTemplate
from ledger.money import Money
from reconciliation import intent_trace, trace
from reconciliation.console import urls
from reconciliation.console.operations import OPERATIONS
from tests.bench import console_rows

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]
MOST = 15
MOST_OF_A_TRACE = 16
MOST_OF_AN_INTENT = 16
"""Each page asks each of its tables once."""

MOST_OF_A_REVIEW = 80
"""A review's page carries out each resolution that is allowed, and rolls it back, to show what it would do."""

ORDERS = 4_000
_NOTHING_FOUND = re.compile(r"\b0 results")
_REVIEWED = 3_950
"""An order in manual review; the one after next, 4000, is a payout's."""

_CHANGES_SOMETHING = {
    *("close-run", "close-act", "review-act", "exception-act", "rule-act", "chart-act", "order-freeze"),
    *("statement-file-act", "statement-line-act", "operator-statement-act", "adjustment-decide"),
}
_FILES = {"support-packet", "intent-packet", "close-progress", "close-package", "close-file", "chart-export"}


@pytest.fixture
def everyone(signed_in: SignIn, superuser_connection: "psycopg.Connection[object]") -> Client:
    """A person of the roles that see everything and work most of it, in a console with rows of everything."""
    console_rows.fill(superuser_connection, orders=ORDERS)
    client = signed_in("anna", "auditor")
    User.objects.get().groups.add(*Group.objects.filter(name__in=["ops lead", "finance lead", "admin"]))
    return client


def test_home_asks_few_questions_with_something_in_each_tile(
    everyone: Client, django_assert_max_num_queries: Callable[[int], CaptureQueriesContext]
) -> None:
    url = reverse("admin:index")
    with clock.use(DatabaseClock()), django_assert_max_num_queries(MOST):
        shown = everyone.get(url)
    tiles = {tile.title: (tile.count > 0, tile.oldest != "") for tile in shown.context["tiles"]}
    assert len(tiles) == 13
    assert tiles == dict.fromkeys(tiles, (True, True))
    for part in ("held_back", "notices", "endpoints", "states"):
        assert len(shown.context[part]) > 1, part
    assert len(shown.context["last_closes"]) > 0
    assert sum(bar["number"] for bar in shown.context["chart"]) == ORDERS


def test_every_list_and_row_asks_few_questions_with_many_rows(everyone: Client) -> None:
    asked: dict[str, int] = {}
    for model, model_admin in admin.site._registry.items():
        if isinstance(model_admin, ReadOnlyAdmin):
            asked |= {url: _queries(everyone, url) for url in _of(model, model_admin)}
    assert len(asked) > 200
    assert {url: count for url, count in asked.items() if count > MOST} == {}


def test_a_search_for_what_a_column_cannot_be_finds_nothing(signed_in: SignIn) -> None:
    """A date's column is compared with dates alone."""
    url = reverse("admin:ledger_periodchange_changelist")
    body = signed_in("anna", "auditor").get(url, {"q": "user:fred"}).content.decode()
    assert "0 results" in body


@pytest.mark.parametrize("question", [trace._FIND, intent_trace._FIND])
def test_a_trace_is_found_by_indexes_and_no_large_table_is_read(everyone: Client, question: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {question}", {"id": f"req_{_REVIEWED:026d}", "posting": None})
        plan = [str(line) for (line,) in cursor.fetchall()]
    read = {line.partition("Seq Scan on ")[2].split()[0] for line in plan if "Seq Scan on " in line}
    assert len(plan) > 100
    assert read & {"orders_order", "orders_trade", "orders_quote", "orders_intent", "wallets_remoteoperation"} == set()


def test_what_has_no_index_is_looked_for_in_the_newest_rows_alone(
    everyone: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = reverse("admin:ledger_claim_changelist")
    claims = Claim.objects.order_by("-pk").values_list("request_id", flat=True)
    monkeypatch.setattr(ReadOnlyAdmin, "RARELY_LOOKS_AT", 10)
    shown = {number: everyone.get(url, {"q": claims[number]}).content.decode() for number in (9, 10)}
    assert "1 result" in shown[9]
    assert "0 results" in shown[10]
    assert "in the newest" in shown[9]


def test_every_page_of_a_record_asks_few_questions(everyone: Client) -> None:
    pages = dict(_pages())
    there = {str(one.name) for one in (*urls.patterns(admin.site), *ledger_urls.patterns(admin.site))}
    assert there - _CHANGES_SOMETHING - _FILES == {name.partition(" ")[0] for name in pages}
    asked = {name: _queries(everyone, url) for name, url in pages.items()}
    more = {"trace": MOST_OF_A_TRACE, "intent-page": MOST_OF_AN_INTENT, "review-case": MOST_OF_A_REVIEW}
    assert {n: count for n, count in asked.items() if count > more.get(n.partition(" ")[0], MOST)} == {}


def _queries(client: Client, url: str) -> int:
    """Under the production's clock, which asks the database: a page that asks it for each row is found."""
    with clock.use(DatabaseClock()), CaptureQueriesContext(connection) as captured:
        answer = client.get(url)
    assert answer.status_code in (200, 302), (url, answer.status_code)
    if "?q=" in url:
        assert not _NOTHING_FOUND.search(answer.content.decode()), url
    return len(captured)


def _of(model: type[Model], shown: ReadOnlyAdmin) -> Iterator[str]:
    """Yield a list, its search by each of its columns, and the page of its newest row."""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    rows = model._default_manager.order_by("-pk")
    assert rows.count() >= 30, model
    yield reverse(f"{name}_changelist")
    for column in (*shown.exact, *shown.elsewhere, *shown.rarely):
        value = rows.values_list(column, flat=True)[0]
        if value:
            yield f"{reverse(f'{name}_changelist')}?{urlencode({'q': str(value)})}"
    yield reverse(f"{name}_change", args=[rows[0].pk])


def _pages() -> Iterator[tuple[str, str]]:
    """Yield the pages that are no list's, by name; a word behind the name tells two of them apart."""

    def page(name: str, *args: str) -> tuple[str, str]:
        return name, reverse(f"admin:{name.partition(' ')[0]}", args=args)

    number = f"{ORDERS:026d}"
    reviewed, first, wallet = f"{_REVIEWED:026d}", f"{1:026d}", f"{1_001:026d}"
    for name in ("trace-search", "sandbox-wallet", "close-calendar", "exceptions-bulk", "rules", "event-types"):
        yield page(name)
    for name in ("chart-drift", "statement-import", "statement-source-new", "operator-statements", "adjustments"):
        yield page(name)
    for name in ("report-trial-balance", "report-alm", "report-balances"):
        yield page(name)
    yield "trace-search with two", reverse("admin:trace-search") + "?id=EUR-USDT"
    yield page("endpoint-page", f"ep_{first}")
    for operation in OPERATIONS:
        yield page(f"operation {operation}", operation)
    yield page("trace", f"ord_{reviewed}")
    yield page("intent-page", f"int_{number}")
    yield page("review-case of an order", f"rev_{reviewed}")
    yield page("review-case of a payout", f"rev_{number}")
    yield page("close-page", f"cls_{first}")
    yield page("exception-page", f"exc_{number}")
    yield page("wallet-page", f"wal_{wallet}")
    yield page("rule-new", "test", "fee")
    yield page("rule", f"fee_{4:026d}")
    yield page("chart-import", "test")
    yield page("event-type", "test", "ORDER_DEBIT_CONFIRMED")
    yield page("statement-source", "test", "bank1")
    yield page("statement-file", f"stf_{first}")
    yield page("statement-line", f"stl_{number}")
    yield page("operator-statement", "test", "shop1", "2026-01-01")
    yield page("ledger-account", "test", "EUR", f"users:wal_{wallet}:available")
    yield page("chart-version", ChartVersion.objects.latest("pk").reference)
    yield page("chart-version of a template", PostingTemplate.objects.latest("pk").reference)
    yield page("adjustment", _adjustment(f"users:wal_{wallet}:available"))
    yield page("ledger-transaction", f"00000000-0000-4000-8000-{ORDERS:012d}")


def _adjustment(address: str) -> str:
    """Propose an opening balance; return the proposal's reference."""
    open_accounts(environment="test", openings=[Opening(WORLD, "EUR", OUTSIDE)])
    draft = Draft(
        event_type="OPENING_BALANCE",
        key="walk",
        subject="walk",
        amounts={"amount": Money(100, "EUR")},
        accounts={"world": WORLD, "account": address},
    )
    with db_transaction.atomic():
        return adjustments.propose(
            environment="test", draft=draft, reason="found", maker="user:fred", now=clock.now()
        ).reference
