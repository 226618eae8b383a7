"""Every list and every page of the console opens with few queries, however many rows there are (F12)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ledger.controls import clock, console
from ledger.controls.clock import DatabaseClock
from ledger.models import Move
from orders.models import Order, ReviewCase, Trade
from orders.operations import review_case
from tests.orders.desk import Desk, reloaded
from tests.orders.wallet import lost_before

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]
MOST = 15
MOST_OF_A_RECORD = 45
"""A page that joins a record's floors asks each of their tables once: more, but never more for more rows."""

MOST_OF_A_PREVIEW = 35


@pytest.fixture
def root(signed_in: SignIn) -> Client:
    client = signed_in("root", "auditor")
    User.objects.update(is_superuser=True)
    return client


def _queries(client: Client, url: str) -> int:
    """Under the production's clock, which asks the database: a page that asks it for each row is found."""
    with clock.use(DatabaseClock()), CaptureQueriesContext(connection) as captured:
        assert client.get(url).status_code == 200, url
    return len(captured)


def _world(desk: Desk, *, reviews: int) -> None:
    desk.wallet.script = [lost_before]
    for n in range(reviews):
        desk.order(f"{20 + n}.00", user=f"user{n}")
    desk.drive(passes=12)
    desk.wallet.script = [None]
    desk.order("50.00")
    desk.drive(passes=2)


def _looked_up(desk: Desk, case: ReviewCase) -> None:
    desk.later(minutes=1)
    review_case.look_up_now(case_reference=case.reference, actor="user:x", now=clock.now())


def test_lists_and_pages_take_few_queries_and_no_more_for_more_rows(root: Client, desk: Desk) -> None:
    _world(desk, reviews=2)
    case = ReviewCase.objects.order_by("pk")[0]
    _looked_up(desk, case)  # what it allows is carried out and rolled back, to show what it does
    order = Order.objects.get(reference=case.subject)
    trade = Trade.objects.get(order_reference=order.reference)
    few = {
        reverse(name): MOST
        for name in (
            *("admin:index", "admin:orders_reviewcase_changelist", "admin:orders_order_changelist"),
            *("admin:trace-search", "admin:orders_trade_changelist", "admin:wallets_remoteoperation_changelist"),
        )
    }
    few[reverse("admin:orders_reviewcase_changelist") + "?queue=overdue"] = MOST
    few[reverse("admin:orders_order_changelist") + f"?q={order.reference}"] = MOST
    few[reverse("admin:orders_order_change", args=[order.pk])] = MOST
    few[reverse("admin:orders_trade_change", args=[trade.pk])] = MOST
    few[reverse("admin:review-case", args=[case.reference])] = MOST_OF_A_RECORD + MOST_OF_A_PREVIEW
    few[reverse("admin:trace", args=[order.reference])] = MOST_OF_A_RECORD
    before = {url: _queries(root, url) for url in few}
    assert {url: count for url, count in before.items() if count > few[url]} == {}
    desk.later(minutes=5)
    _world(desk, reviews=5)
    for _ in range(3):
        _looked_up(desk, case)
    after = {url: _queries(root, url) for url in few}
    assert {url: (before[url], after[url]) for url in few if after[url] > before[url]} == {}


def test_a_list_counts_no_further_than_it_takes(root: Client, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console.BoundedPaginator, "MOST", 3)
    for _ in range(5):
        desk.order("20.00")
    url = reverse("admin:orders_order_changelist")
    with CaptureQueriesContext(connection) as captured:
        body = root.get(url).content.decode()
    counts = [one["sql"] for one in captured if "COUNT(" in one["sql"] and "orders_order" in one["sql"]]
    assert len(counts) == 1
    assert "LIMIT 3" in counts[0]
    assert "3 results" in body


def test_no_list_reads_every_row_to_offer_its_filters(root: Client, desk: Desk) -> None:
    desk.order("20.00")
    for model, model_admin in admin.site._registry.items():
        if not isinstance(model_admin, console.ReadOnlyAdmin):
            continue
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        with CaptureQueriesContext(connection) as captured:
            assert root.get(url).status_code == 200
        assert [one["sql"] for one in captured if "DISTINCT" in one["sql"] and "LIMIT" not in one["sql"]] == [], url


def test_a_filter_offers_the_words_of_recent_rows_and_the_chosen_one(root: Client, desk: Desk) -> None:
    desk.order("20.00")
    url = reverse("admin:orders_order_changelist")
    body = root.get(url).content.decode()
    assert "?pool_code=EUR-USDT" in body
    chosen = root.get(url, {"pool_code": "USD-ETH"}).content.decode()
    assert "?pool_code=USD-ETH" in chosen
    assert "0 results" in chosen
    assert "1 result" in root.get(url, {"pool_code": "EUR-USDT"}).content.decode()
    assert Move.objects.exists()
    assert root.get(url, {"_facets": "True"}).status_code in (200, 302)


def test_the_queue_is_ordered_by_what_is_due_first(root: Client, desk: Desk) -> None:
    _world(desk, reviews=2)
    first, second = ReviewCase.objects.order_by("pk")
    ReviewCase.objects.filter(pk=second.pk).update(due_at=clock.now() - timedelta(hours=1))
    body = root.get(reverse("admin:orders_reviewcase_changelist")).content.decode()
    assert body.index(f">{second.reference}<") < body.index(f">{first.reference}<")
    assert reloaded(Order.objects.get(reference=first.subject)).state == "manual_review"
