"""No list or report of the console is wider than a laptop's screen, with rows as they lie after months."""

from collections.abc import Callable

import psycopg
import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.urls import reverse
from playwright.sync_api import Browser

from ledger.controls.console import ReadOnlyAdmin
from tests.bench import console_rows
from tests.console.test_browser import _sign_in, browser, live_url

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]

__all__ = ["browser", "live_url"]  # fixtures

_REPORTS = ("admin:report-trial-balance", "admin:report-balances", "admin:report-alm", "admin:index")
_CUT = """() => [...document.querySelectorAll("*")].filter(one => one.scrollWidth > one.clientWidth + 1
    && ["auto", "scroll"].includes(getComputedStyle(one).overflowX)).map(one => one.scrollWidth - one.clientWidth)"""


def test_no_list_scrolls_sideways_on_a_laptop(
    live_url: str,
    browser: Browser,
    person: Callable[[str, str], User],
    superuser_connection: "psycopg.Connection[object]",
) -> None:
    console_rows.fill(superuser_connection, orders=4_000)
    user = person("anna", "auditor")
    user.groups.add(*Group.objects.filter(name__in=["ops lead", "finance lead", "admin"]))
    page = _sign_in(browser, live_url, user)
    page.set_viewport_size({"width": 1280, "height": 900})
    lists = [model._meta for model, shown in admin.site._registry.items() if isinstance(shown, ReadOnlyAdmin)]
    names = [*_REPORTS, *(f"admin:{meta.app_label}_{meta.model_name}_changelist" for meta in lists)]
    cut = {}
    for name in names:
        page.goto(live_url + reverse(name))
        cut[name] = page.evaluate(_CUT)
    assert len(cut) > 40
    assert {name: by for name, by in cut.items() if by} == {}

    page.goto(live_url + reverse("admin:orders_order_changelist"))
    assert page.eval_on_selector("td.field-gives", "cell => getComputedStyle(cell).textAlign") == "right"
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(live_url + reverse("admin:index"))
    assert page.locator("#endpoints").count() == 1
    assert page.evaluate("document.documentElement.scrollWidth") == 390, "home fits a telephone"
