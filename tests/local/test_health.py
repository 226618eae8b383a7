"""livez, readyz and metrics."""

import psycopg
import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from ledger.controls import metrics
from ledger.controls.metrics import Metric
from tests.servers import TestServers

pytestmark = pytest.mark.usefixtures("database")


def test_livez_answers(client: Client) -> None:
    answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_readyz_is_ok_without_redis(client: Client) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "database": "ok", "redis": "unreachable"}


def test_readyz_reports_redis_when_it_runs(client: Client, valkey: str, settings: Settings) -> None:
    assert valkey == settings.REDIS_URL
    assert client.get("/readyz").json()["redis"] == "ok"


def test_readyz_is_503_when_a_migration_is_pending(client: Client, superuser_connection: psycopg.Connection) -> None:
    superuser_connection.execute("DELETE FROM django_migrations WHERE app = 'ledger'")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["database"] == "migrations pending"


def test_metrics_are_prometheus_text(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "_registered", {})
    metrics.register("holdfast_b", "Two.", "gauge", lambda: [({"asset": 'E"U\\R\n'}, 2), ({}, 1)])
    metrics.register("holdfast_a", "One\nline.", "counter", lambda: [({}, 7)])
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert answer.content.decode().splitlines() == [
        "# HELP holdfast_a One\\nline.",
        "# TYPE holdfast_a counter",
        "holdfast_a 7",
        "# HELP holdfast_b Two.",
        "# TYPE holdfast_b gauge",
        'holdfast_b{asset="E\\"U\\\\R\\n"} 2',
        "holdfast_b 1",
        "# HELP holdfast_metrics_failed Metrics whose collector failed in this answer.",
        "# TYPE holdfast_metrics_failed gauge",
        "holdfast_metrics_failed 0",
    ]


def test_metric_whose_query_fails_is_left_out_and_counted(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> list[metrics.Sample]:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM no_such_table")
        return []

    monkeypatch.setattr(metrics, "_registered", {"x": Metric("x", "X.", "gauge", fail)})
    answer = client.get("/metrics").content.decode()
    assert "\nx" not in f"\n{answer}"
    assert answer.endswith("holdfast_metrics_failed 1\n")


def test_metrics_ask_for_the_token_when_one_is_set(client: Client, settings: Settings) -> None:
    settings.METRICS_TOKEN = "a token"
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/metrics", headers={"Authorization": "Bearer a token"}).status_code == 200


def test_metric_needs_a_proper_name(servers: TestServers) -> None:
    with pytest.raises(ValueError, match="no metric name"):
        metrics.register("Not a name", "", "gauge", list)
