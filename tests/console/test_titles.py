"""What a page is called: in the browser's tab, in the trail above it, and by which operator its row is."""

import re
from collections.abc import Callable

import pytest
from django.contrib import admin
from django.db.models import Model
from django.test import Client
from django.urls import reverse

from orders.models import Order, SagaRun
from tests.orders.desk import Desk, open_case
from tests.orders.wallet import lost_after
from wallets.models import Operator

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]


def _shown(client: Client, name: str, *arguments: object) -> str:
    return client.get(reverse(name, args=arguments)).content.decode()


def _title(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert found is not None
    return " ".join(found.group(1).split())


def test_each_row_of_the_console_says_what_it_is() -> None:
    shown = [model for model in admin.site._registry if model._meta.app_label in ("ledger", "wallets", "orders")]
    assert len(shown) > 30
    assert [model._meta.label for model in shown if model.__str__ is Model.__str__] == []


def test_a_list_is_titled_by_what_is_in_it(signed_in: SignIn) -> None:
    client = signed_in("sue", "support")
    assert _title(_shown(client, "admin:orders_order_changelist")) == "Orders | Holdfast"
    assert _title(_shown(client, "admin:orders_payin_changelist")) == "Pay-ins | Holdfast"


def test_a_row_s_page_names_its_operator_and_keeps_its_reference_as_it_is(desk: Desk, signed_in: SignIn) -> None:
    order = desk.order("300.00")
    page = _shown(signed_in("sue", "support"), "admin:orders_order_change", order.pk)
    assert order.operator_id is not None
    assert Operator.objects.get(pk=order.operator_id).name in page
    assert "Operator id" not in page
    assert order.reference in page
    assert order.reference.capitalize() not in page
    run = SagaRun.objects.get(subject=order.reference)
    assert _title(_shown(signed_in("olga", "ops"), "admin:orders_sagarun_change", run.pk)).startswith(order.reference)


def test_a_case_s_page_leads_back_to_its_queue_and_tells_who_resolves_it(desk: Desk, signed_in: SignIn) -> None:
    desk.wallet.script = [lost_after, lost_after]
    order: Order = desk.order("300.00")
    desk.drive(passes=12)
    case = open_case(order)
    ops = _shown(signed_in("olga", "ops"), "admin:review-case", case.reference)
    assert f'href="{reverse("admin:orders_reviewcase_changelist")}" class="align-middle' in ops
    assert "ops resolve it" not in ops
    assert "ops resolve it" in _shown(signed_in("sue", "support"), "admin:review-case", case.reference)
