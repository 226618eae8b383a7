"""A null character in a form or an address is as if it were not there: the database takes none, and it is no fault of ours."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django.fixtures import Settings

from ledger.controls import clock
from reconciliation import close_runs
from reconciliation.models import CloseRun, CloseSignature
from tests.orders.desk import Desk

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]


@pytest.fixture
def over(desk: Desk, settings: Settings, tmp_path: Path) -> CloseRun:
    settings.ARTIFACTS_ROOT = tmp_path / "closes"
    day = clock.now().date()
    desk.clock.move_to((clock.now() + timedelta(days=1)).replace(hour=2))
    return close_runs.run(close=close_runs.ensure(environment="test", business_date=day)).close


def test_a_form_is_read_without_its_null_characters(signed_in: SignIn, over: CloseRun) -> None:
    client = signed_in("fiona", "finance")
    form = {"version": str(over.version), "reason": "ok\x00"}
    assert client.post(reverse("admin:close-act", args=[over.reference, "submit"]), form).status_code == 302
    assert CloseSignature.objects.get().comment == "ok"
    answer = client.post(reverse("admin:statement-import"), {"source": "te\x00st main"})
    assert "There is no statement source &#x27;main&#x27; in test." in answer.content.decode()


@pytest.mark.parametrize("path", ["close-page", "exception-page", "statement-file", "statement-line"])
def test_an_address_with_a_null_character_is_nowhere(path: str, signed_in: SignIn, desk: Desk) -> None:
    client = signed_in("fiona", "finance")
    address = reverse(f"admin:{path}", args=["x"]).replace("/x/", "/x%00/")
    assert "%00" in address
    assert client.get(address).status_code == 404


def test_a_question_is_read_without_its_null_characters(signed_in: SignIn, desk: Desk) -> None:
    client = signed_in("fiona", "finance")
    for name in ("statementline", "exceptioncase", "closerun"):
        page = reverse(f"admin:reconciliation_{name}_changelist")
        for question in ("?q=%00", "?state=%00", "?environment__exact=%00"):
            assert client.get(page + question).status_code in (200, 302)
