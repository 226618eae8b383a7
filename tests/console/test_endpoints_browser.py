"""An endpoint that went away is found on the home page, enabled and resent, in Chromium against a live server."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import transaction as db_transaction
from playwright.sync_api import Browser

from ledger.controls import clock, drains
from tests.console.test_browser import _sign_in, browser, live_url  # noqa: F401
from tests.webhooks.conftest import receiver  # noqa: F401
from tests.webhooks.edge import make_endpoint, mine, record_events
from tests.webhooks.receiver import Answer, Receiver
from webhooks import rotation
from webhooks.models import Endpoint

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("database")]


def test_an_endpoint_is_enabled_and_resent_by_the_dialogs(
    live_url: str,  # noqa: F811
    browser: Browser,  # noqa: F811
    person: Callable[[str, str], User],
    receiver: Receiver,  # noqa: F811
) -> None:
    endpoint = make_endpoint(receiver.url())
    make_endpoint(receiver.url("/well"), topics=["order.*"])
    record_events("ord_0", range(1, 3))
    drains.drain_all()
    receiver.plan("/hook", Answer(500, body=b"the database is full"), Answer(410, body=b"moved away"))
    record_events("ord_1", range(1, 3))
    drains.drain_all()
    record_events("ord_2", range(1, 3))
    drains.drain_all()
    with db_transaction.atomic():
        rotation.rotate(**mine(endpoint), overlap=rotation.OVERLAP, now=clock.now())
    page = _sign_in(browser, live_url, person("root", "admin"))
    _shot(page, "home")
    page.click(f"a:has-text('{endpoint.reference} is disabled')")
    assert page.inner_text("body").count("moved away") >= 1
    _shot(page, "endpoint")
    page.click("#open-enable-endpoint")
    _shot(page, "dialog")
    page.fill("#dialog-enable-endpoint input[name=since]", "2000-01-01 00:00")
    page.click("#do-enable-endpoint")
    page.wait_for_selector("#told")
    assert "4 events are sent" in page.inner_text("#told")
    assert Endpoint.objects.get(pk=endpoint.pk).disabled_at is None
    drains.drain_all()
    assert len({one.id for one in receiver.at("/hook")}) == 6


def _shot(page: object, name: str) -> None:
    """Keep a picture where SCREENSHOTS says."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / f"{name}.png"), full_page=True)  # type: ignore[attr-defined]  # a Page
