"""A receiver that is down for three days gets everything, in order per aggregate, and nothing of it is given up."""

import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta

import pytest

from ledger.controls import clock, drains
from tests.webhooks.edge import make_endpoint, record_events
from webhooks import outbound
from webhooks.models import Delivery, Endpoint, Notice

pytestmark = pytest.mark.usefixtures("database")


class Receiver:
    """Answers 503 until it is up; with another one beside it that is well all the time."""

    def __init__(self, fixed: clock.FixedClock, up_at: datetime) -> None:
        self._clock = fixed
        self._up_at = up_at
        self.took: dict[str, list[str]] = defaultdict(list)
        self.refused = 0

    def send(self, request: outbound.OutboundRequest) -> outbound.OutboundResponse:
        if request.url.endswith("/down") and self._clock.now() < self._up_at:
            self.refused += 1
            return outbound.OutboundResponse(status=503, headers={}, body=b"")
        self.took[request.url].append(request.body.decode())
        return outbound.OutboundResponse(status=204, headers={}, body=b"")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_receiver_that_is_down_for_three_days_gets_everything_in_order(
    fixed_clock: clock.FixedClock, seed: int
) -> None:
    rng = random.Random(seed)
    down = make_endpoint("https://down.example.com/down")
    make_endpoint("https://well.example.com/well")
    receiver = Receiver(fixed_clock, up_at=fixed_clock.now() + timedelta(days=3))
    recorded: Counter[str] = Counter()
    made: list[str] = []
    with outbound.use(receiver):
        for _ in range(3 * 24):
            order = f"ord_{rng.randrange(12)}"
            number = rng.randint(1, 3)
            made += record_events(order, range(recorded[order] + 1, recorded[order] + number + 1))
            recorded[order] += number
            _work_through(fixed_clock, until=fixed_clock.now() + timedelta(hours=1))
        assert receiver.took["https://down.example.com/down"] == []
        assert receiver.refused > len(recorded), "nobody knocked at the receiver that was down"
        assert len(receiver.took["https://well.example.com/well"]) == len(made), "the other one waited for it"
        _work_through(fixed_clock, until=fixed_clock.now() + timedelta(days=2))

    took = [json.loads(body) for body in receiver.took["https://down.example.com/down"]]
    assert Counter(one["id"] for one in took) == Counter(made), "something is missing, or came twice"
    for order, count in recorded.items():
        numbers = [one["data"]["sequence"] for one in took if one["data"]["order_id"] == order]
        assert numbers == list(range(1, count + 1)), order
    assert set(Delivery.objects.values_list("state", flat=True)) == {"delivered"}
    assert Endpoint.objects.get(pk=down.pk).disabled_at is None
    assert Notice.objects.count() == 0


def _work_through(fixed: clock.FixedClock, *, until: datetime) -> None:
    """Do what falls due, instant by instant."""
    drains.drain("relay")
    for _ in range(10_000):
        drains.drain("deliveries")
        pending = Delivery.objects.filter(state="pending", available_at__lte=until).order_by("available_at")
        due = pending.values_list("available_at", flat=True).first()
        if due is None:
            break
        fixed.move_to(max(due, fixed.now()))
    fixed.move_to(until)
