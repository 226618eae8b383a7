"""Order per endpoint and aggregate over everything that may happen to an endpoint between two attempts.

It fails, is disabled by hand or by 410, is enabled and resent what it missed, is rotated, moves, wants other topics. The rule
that is asked at each request: no delivery of the same lane that comes earlier in sequence is still to be taken.
"""

import json
import random
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from typing import Final

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from tests.webhooks.edge import make_endpoint, mine, record_events
from webhooks import endpoints, outbound, resends, rotation, signatures
from webhooks.models import Delivery, Endpoint, RetiredSecret

pytestmark = pytest.mark.usefixtures("database")

_TOPICS: Final = ("order.processed", "order.failed", "trade.settled")


class Receiver:
    """Answers by chance, and holds each request against what is still to come before it."""

    def __init__(self, endpoint: Endpoint, chance: random.Random) -> None:
        self._endpoint = endpoint.pk
        self._chance = chance
        self.taken: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.answers: Counter[int] = Counter()
        self.well = False

    def send(self, request: outbound.OutboundRequest) -> outbound.OutboundResponse:
        event = request.headers["webhook-id"]
        self._look(event, request)
        status = 204 if self.well else self._chance.choices([204, 500, 410], [70, 28, 2])[0]
        self.answers[status] += 1
        if status == 204:
            self.taken[event] += 1
        return outbound.OutboundResponse(status=status, headers={}, body=b"")

    def _look(self, event: str, request: outbound.OutboundRequest) -> None:
        endpoint = Endpoint.objects.get(pk=self._endpoint)
        if request.url != endpoint.url:
            self.wrong.append(f"{event} went to {request.url}, which is {endpoint.url}")
        retired = RetiredSecret.objects.filter(endpoint_id=endpoint.pk, ends_at__gt=clock.now())
        for secret in (endpoint.secret, *(one.secret for one in retired)):
            signatures.verify(
                secrets=[secret],
                headers=dict(request.headers),
                body=request.body,
                now=int(request.headers["webhook-timestamp"]),
            )
        mine_now = Delivery.objects.filter(endpoint_id=endpoint.pk)
        this = mine_now.filter(event_reference=event, state="pending").order_by("pk").first()
        if this is None:
            self.wrong.append(f"{event} was sent, and nothing of it waits")
            return
        lane = mine_now.filter(aggregate=this.aggregate, sequence__lt=this.sequence)
        asked = Counter(lane.filter(state__in=["pending", "delivered"]).values_list("event_reference", flat=True))
        for earlier in set(lane.filter(state="pending").values_list("event_reference", flat=True)):
            if self.taken[earlier] < asked[earlier]:
                self.wrong.append(f"{event} overtook {earlier}")


@pytest.mark.parametrize("seed", range(1, 7))
def test_nothing_overtakes_whatever_becomes_of_the_endpoint(fixed_clock: clock.FixedClock, seed: int) -> None:
    chance = random.Random(seed)
    endpoint = make_endpoint("https://hooks.example.com/0")
    receiver = Receiver(endpoint, chance)
    recorded: Counter[str] = Counter()
    made: list[str] = []
    began = fixed_clock.now()
    done: Counter[str] = Counter()
    with outbound.use(receiver):
        for step in range(60):
            aggregate = f"ord_{chance.randrange(4)}"
            number = chance.randint(1, 3)
            first = recorded[aggregate] + 1
            made += record_events(aggregate, range(first, first + number), topic=chance.choice(_TOPICS))
            recorded[aggregate] += number
            done[_change(endpoint, chance, step, since=began)] += 1
            _work_through(fixed_clock, until=fixed_clock.now() + timedelta(minutes=chance.randint(1, 90)))

        assert receiver.wrong == []
        assert min(done[what] for what in ("disabled", "enabled", "rotated", "moved", "topics", "nothing")) > 0, done
        assert receiver.answers[500] > 10

        receiver.well = True
        with db_transaction.atomic():
            endpoints.update(**mine(endpoint), topics=[])
            endpoints.enable(**mine(endpoint), actor="user:ada", now=clock.now())
            resends.resend(**mine(endpoint), selection=_since(began), actor="user:ada", now=clock.now())
        before = receiver.taken.copy()
        _work_through(fixed_clock, until=fixed_clock.now() + timedelta(days=4))
    assert receiver.wrong == []
    assert set(receiver.taken) == set(made), "what was missed came when it was asked for"
    again = {event for event in before if receiver.taken[event] > before[event]}
    assert again == set(), "what was taken did not come again"
    assert not Delivery.objects.filter(state="pending").exists()


def test_a_lane_waits_for_its_head_through_rotation_topics_and_a_new_url(fixed_clock: clock.FixedClock) -> None:
    """The plain story: what was born stays in line, though the endpoint wants it no more."""
    endpoint = make_endpoint("https://hooks.example.com/0")
    took: dict[str, list[int]] = defaultdict(list)
    down = True

    class Receiver:
        def send(self, request: outbound.OutboundRequest) -> outbound.OutboundResponse:
            if down:
                return outbound.OutboundResponse(status=503, headers={}, body=b"")
            took[request.url].append(json.loads(request.body)["data"]["sequence"])
            return outbound.OutboundResponse(status=204, headers={}, body=b"")

    with outbound.use(Receiver()):
        record_events("ord_1", range(1, 4))
        _work_through(fixed_clock, until=fixed_clock.now() + timedelta(hours=1))
        with db_transaction.atomic():
            rotation.rotate(**mine(endpoint), overlap=timedelta(0), now=clock.now())
            endpoints.update(**mine(endpoint), url="https://hooks.example.com/1", topics=["order.failed"])
        record_events("ord_1", range(4, 5))
        record_events("ord_1", range(5, 6), topic="order.failed")
        down = False
        _work_through(fixed_clock, until=fixed_clock.now() + timedelta(days=1))
    assert took == {"https://hooks.example.com/1": [1, 2, 3, 5]}


def _since(began: datetime) -> resends.Selection:
    return resends.Selection(since=began)


def _change(endpoint: Endpoint, chance: random.Random, step: int, *, since: datetime) -> str:
    """Do one thing to the endpoint; return what."""
    row = Endpoint.objects.get(pk=endpoint.pk)
    what = chance.choice(["disabled", "enabled", "enabled", "rotated", "moved", "topics", "nothing", "nothing"])
    with db_transaction.atomic():
        if what == "disabled":
            endpoints.disable(**mine(row), reason="by hand", now=clock.now())
        elif what == "enabled":
            endpoints.enable(**mine(row), actor="user:ada", now=clock.now())
            resends.resend(**mine(row), selection=_since(since), actor="user:ada", now=clock.now())
        elif what == "rotated":
            rotation.rotate(**mine(row), overlap=chance.choice([timedelta(0), timedelta(hours=1)]), now=clock.now())
        elif what == "moved":
            endpoints.update(**mine(row), url=f"https://hooks.example.com/{step}")
        elif what == "topics":
            endpoints.update(**mine(row), topics=chance.choice([[], ["order.*"], ["trade.settled", "order.failed"]]))
    return what


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
