"""Closes and exceptions through REST: read with the scope `finance`, in the key's own book only."""

import hashlib
import io
import zipfile
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django.fixtures import Settings

from ledger.controls import clock
from reconciliation import close_runs
from reconciliation.models import CloseArtifact, CloseDownload, CloseRun, ExceptionCase
from tests.rest.calls import Api
from tests.rest.conftest import Shop, open_house
from tests.rest.world import make_world
from wallets.models import OperatorKey

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def closed(shop: Shop, settings: Settings, tmp_path: Path, superuser_connection: psycopg.Connection) -> CloseRun:
    """Today's close, with one order whose quote is gone."""
    settings.ARTIFACTS_ROOT = tmp_path / "closes"
    world = make_world(shop.api)
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute(
        "DELETE FROM orders_quote WHERE reference = (SELECT quote_reference FROM orders_order WHERE reference = %s)",
        [world.order],
    )
    close = close_runs.ensure(environment="test", business_date=clock.now().date())
    return close_runs.run(close=close).close


@pytest.fixture
def house(closed: CloseRun) -> Api:
    return open_house()


def test_a_close_is_read_with_its_checklist_and_files(closed: CloseRun, house: Api) -> None:
    (listed,) = house.get("/v1/closes").json["data"]
    assert (listed["close_id"], listed["status"], listed["provisional"]) == (closed.reference, "open", True)
    assert house.get("/v1/closes?state=locked").json["data"] == []
    told = house.get(f"/v1/closes/{closed.business_date}").json
    assert told["breaks"]["missing_quote"] == 1
    assert [point["passes"] for point in told["checklist"]] == [True, False, True, True, True]
    assert told["checklist"][1]["blocked_by"] == [ExceptionCase.objects.get().reference]
    assert told["signatures"] == []
    assert told["ledger_root"] == closed.ledger_root != ""
    assert {file["name"]: file["sha256"] for file in told["artifacts"]} == dict(
        CloseArtifact.objects.values_list("name", "sha256")
    )


def test_a_page_of_closes_takes_no_question_for_each(closed: CloseRun, house: Api) -> None:
    house.get("/v1/closes")  # notes that its key was used
    with CaptureQueriesContext(connection) as one:
        assert len(house.get("/v1/closes").json["data"]) == 1
    for days in (1, 2):
        close_runs.ensure(environment="test", business_date=closed.business_date - timedelta(days=days))
    with CaptureQueriesContext(connection) as three:
        assert len(house.get("/v1/closes").json["data"]) == 3
    assert len(three) == len(one) > 0


def test_artifacts_are_one_zip_of_the_very_files(closed: CloseRun, house: Api) -> None:
    answer = house.get(f"/v1/closes/{closed.business_date}/artifacts")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/zip")
    package = zipfile.ZipFile(io.BytesIO(answer.body))
    hashes = {name: hashlib.sha256(package.read(name)).hexdigest() for name in package.namelist()}
    assert hashes == dict(CloseArtifact.objects.values_list("name", "sha256"))
    assert house.get(f"/v1/closes/{closed.business_date}/artifacts").body == answer.body
    one = house.get(f"/v1/closes/{closed.business_date}/artifacts/orders.csv")
    assert one.body == package.read("orders.csv")


def test_each_download_is_kept_with_the_key_that_made_it(closed: CloseRun, house: Api) -> None:
    for path in ("artifacts", "artifacts/orders.csv"):
        assert house.get(f"/v1/closes/{closed.business_date}/{path}").status == 200
    assert house.get(f"/v1/closes/{closed.business_date}/artifacts/passwords.csv").status == 404
    key = OperatorKey.objects.get(operator__kind="house")
    kept = CloseDownload.objects.order_by("id").values_list("close_reference", "name", "actor", "api_key_id")
    assert list(kept) == [
        (closed.reference, f"close-test-{closed.business_date}.zip", f"operator:{key.operator.reference}", key.pk),
        (closed.reference, "orders.csv", f"operator:{key.operator.reference}", key.pk),
    ]


def test_what_is_not_there_is_not_found(closed: CloseRun, house: Api, settings: Settings, tmp_path: Path) -> None:
    yesterday = closed.business_date - timedelta(days=1)
    for path in (
        f"/v1/closes/{yesterday}",
        "/v1/closes/2026-02-31",
        f"/v1/closes/{closed.business_date}/artifacts/passwords.csv",
        "/v1/exceptions/exc_01kad00f8xm3v6y2q4t5n7w9bz",
        f"/v1/closes/{closed.business_date}/artifacts/..",
    ):
        assert house.get(path).status == 404, path
    settings.ARTIFACTS_ROOT = tmp_path / "elsewhere"
    answer = house.get(f"/v1/closes/{closed.business_date}/artifacts")
    assert (answer.status, answer.code) == (409, "close_files_missing")


def test_exceptions_are_filtered_and_each_says_what_to_do(closed: CloseRun, house: Api) -> None:
    (listed,) = house.get("/v1/exceptions?type=missing_quote&state=open&owner=ops").json["data"]
    assert house.get(f"/v1/exceptions/{listed['exception_id']}").json == listed
    assert (listed["title"], listed["first_action"]) == ("Missing quote", "Check server logs and request id.")
    assert (listed["asset"], listed["amount_at_risk"], listed["aging_bucket"]) == ("EUR", "100.00", "0-1 days")
    assert listed["records"]["order_id"] == listed["order_id"] == listed["subject"]
    assert house.get(f"/v1/exceptions?date={closed.business_date}").json["data"] == [listed]
    for query in ("type=missing_trade", "state=approved", "owner=nobody", "date=2020-01-01"):
        assert house.get(f"/v1/exceptions?{query}").json["data"] == []
    for query in ("type=anything", "state=done", "date=tomorrow", "after=x", "nonsense=1", "limit=0"):
        assert house.get(f"/v1/exceptions?{query}").status == 400, query


def test_another_book_and_another_scope_see_nothing(closed: CloseRun, shop: Shop) -> None:
    live = open_house(environment="live")
    assert live.get("/v1/closes").json["data"] == []
    assert live.get(f"/v1/closes/{closed.business_date}").status == 404
    assert live.get("/v1/exceptions").json["data"] == []
    assert live.get(f"/v1/exceptions/{ExceptionCase.objects.get().reference}").status == 404
    assert shop.api.get(f"/v1/closes/{closed.business_date}/artifacts").status == 403
