"""What the tests of the messaging edge share: a receiver, a clock, endpoints, and recorded events."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from pytest_django.fixtures import Settings

from ledger.controls import clock
from tests.webhooks.receiver import Receiver, running_receiver

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    with running_receiver() as running:
        settings.OUTBOUND_ALLOW = [("127.0.0.1", running.port)]
        yield running


@pytest.fixture
def fixed_clock() -> Iterator[clock.FixedClock]:
    with clock.use(clock.FixedClock(NOON)) as installed:
        assert isinstance(installed, clock.FixedClock)
        yield installed
