"""Throttling per key and process: a bucket that fills again; Redis is not asked."""

import pytest
from pytest_django.fixtures import Settings

from ledger.controls import clock
from ledger.controls.clock import FixedClock
from ledger.controls.rest.throttling import Buckets
from tests.rest.calls import QUOTE
from tests.rest.conftest import Shop
from wallets.models import ApiRequest


def test_a_token_comes_back_when_time_passes() -> None:
    buckets = Buckets()
    assert [buckets.wait(1, rate=2, burst=2, at=10.0) for _ in range(3)] == [0, 0, 0.5]
    assert buckets.wait(1, rate=2, burst=2, at=10.25) == pytest.approx(0.25)
    assert buckets.wait(1, rate=2, burst=2, at=10.5) == 0
    assert buckets.wait(2, rate=2, burst=2, at=10.5) == 0
    assert [buckets.wait(1, rate=2, burst=2, at=1_000.0) for _ in range(3)] == [0, 0, 0.5]


def test_a_key_is_told_to_wait_when_it_asks_too_often(shop: Shop, settings: Settings) -> None:
    settings.REST_RATE, settings.REST_BURST = 1, 3
    other = shop.key()
    with clock.use(FixedClock(clock.now())):
        statuses = [shop.api.get("/v1/pools").status for _ in range(3)]
        answer = shop.api.get("/v1/pools")
        assert other.get("/v1/pools").status == 200
    assert statuses == [200, 200, 200]
    assert (answer.status, answer.code) == (429, "throttled")
    assert int(answer.headers["Retry-After"]) >= 1
    assert ApiRequest.objects.filter(status=429).count() == 1


def test_a_key_stays_free_when_its_request_was_throttled(shop: Shop, settings: Settings) -> None:
    with clock.use(FixedClock(clock.now())):
        settings.REST_RATE, settings.REST_BURST = 1, 1
        assert shop.api.get("/v1/pools").status == 200
        assert shop.api.post("/v1/quotes", QUOTE, key="one").status == 429
        settings.REST_RATE = 0
        assert shop.api.post("/v1/quotes", QUOTE, key="one").status == 201
