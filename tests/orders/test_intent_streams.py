"""OneWallet, live monitoring: a stream opened on an authorized payout tells each change; the last has the reference number."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from django.db import connections

from orders.models import Intent
from tests.orders.payouts import PayoutDesk, reloaded
from tests.orders.test_payout_reviews import looked_up
from tests.orders.wallet import Step, declined, lost_after, server_error
from tests.webhooks.stream_reader import Event, Reader, caller, serving
from wallets.models import Gateway

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture(autouse=True)
def _connections() -> Iterator[None]:
    yield
    connections.close_all()


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


async def aside(work: Callable[[], Any]) -> None:
    """Do what the processes beside the streams do, in a thread of its own."""

    def done() -> None:
        try:
            work()
        finally:
            connections.close_all()

    await asyncio.to_thread(done)


def told(events: list[Event]) -> list[tuple[str, str, bool, bool]]:
    said = [event.message["data"] for event in events]
    return [(one["status"], one["status_reason"] or "", one["requiresMonitoring"], one["terminal"]) for one in said]


@pytest.mark.parametrize(
    ("answer", "end"),
    [(None, ("SETTLED", "", False, True)), (declined, ("FAILED", "payout_declined", False, True))],
)
def test_an_authorized_payout_is_watched_live_to_its_end(
    answer: Step | None, end: tuple[str, str, bool, bool], payouts: PayoutDesk
) -> None:
    payouts.bank.script = [answer]
    intent = payouts.pay("1000.00", partner_reference="w-1")
    path = f"/v1/intents/{intent.reference}/events"

    async def test() -> None:
        mine = {"mine": caller(operator_id=payouts.caller.operator_id), "theirs": caller(2, operator_id=4711)}
        async with serving(callers=mine) as streams:
            reader = Reader(streams, path)
            (first,) = await reader.until(1)
            assert told([first]) == [("AUTHORIZED", "", True, False)]
            assert first.message["data"]["reference_number"] is None
            assert not reader.is_over, "it stays open while there is something to monitor"

            await aside(lambda: payouts.drive(passes=2))
            events = await reader.until_over()
            assert [event.topic for event in events] == ["intent.AUTHORIZED", f"intent.{end[0]}"]
            assert told(events) == [("AUTHORIZED", "", True, False), end]

            resumed = Reader(streams, path, last_event_id=first.id)
            assert [event.id for event in await resumed.until_over()] == [events[-1].id]
            strangers = Reader(streams, path, authorization="Bearer theirs")
            await strangers.until_over()
            assert strangers.status == 404

            def kept() -> None:
                ended = reloaded(intent)
                number = events[-1].message["data"]["reference_number"]
                assert number == (ended.reference_number or None)
                assert bool(number) is (end[0] == "SETTLED"), "the last event carries the reference number"

            await aside(kept)

    run(test())


def test_a_stream_stays_through_manual_review(payouts: PayoutDesk) -> None:
    Gateway.objects.update(requery_cap=2)
    payouts.bank.script = [lost_after, server_error, server_error, None]
    intent: Intent = payouts.pay("1000.00")

    def people() -> None:
        looked_up(intent)
        payouts.decide(intent, "settle_payout")
        payouts.drive(passes=2)

    async def test() -> None:
        async with serving(callers={"mine": caller(operator_id=payouts.caller.operator_id)}) as streams:
            reader = Reader(streams, f"/v1/intents/{intent.reference}/events")
            await reader.until(1)
            await aside(lambda: payouts.drive(passes=8))
            await reader.until(2)
            assert not reader.is_over
            await aside(people)
            events = await reader.until_over()
            assert told(events) == [
                ("AUTHORIZED", "", True, False),
                ("MANUAL_REVIEW", "payout_unknown", True, False),
                ("SETTLED", "", False, True),
            ]
            assert events[-1].message["data"]["reference_number"]

    run(test())
