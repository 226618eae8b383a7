"""Crash at every point of a return: opening it, adjusting, keeping, dismissing, and giving it back by credit or debit.

Whoever did it does it again: staff, the people of a case, the venue that sends, the relay that tells, the saga.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from ledger.controls import clock, drains
from orders.models import Return, ReviewCase, Trade
from orders.operations import review_case
from orders.operations.return_trade import ReturnedAlready, return_trade
from tests.flush import Flush
from tests.orders import test_returns as late
from tests.orders.deaths import Standing, Story, decide, drive, survives, waiting
from tests.orders.desk import Desk, reloaded
from tests.orders.lanes import open_lanes
from tests.orders.test_crashes import ONE_LOOKUP
from tests.orders.test_venue_news import Telling
from tests.orders.wallet import Step, declined, lost_after, server_error
from wallets.gateway_port import RemoteRequest
from wallets.models import RemoteOperation
from wallets.remote_operations import look_again, look_up

pytestmark = pytest.mark.usefixtures("database")


def _bought(desk: Desk) -> Trade:
    desk.holding()
    return Trade.objects.get()


def _bought_at_a_venue(desk: Desk) -> Trade:
    open_lanes(desk).holding()
    return Trade.objects.get()


def _taken_back(desk: Desk, trade: Trade) -> None:
    """Staff open it; who opens it again is told that it is open."""
    with suppress(ReturnedAlready):
        return_trade(trade_reference=trade.reference, reason="their letter", actor="user:lena", now=clock.now())


def _told_by_the_venue(desk: Desk, trade: Trade) -> None:
    """The venue, unanswered or not, sends the same event again."""
    Telling(desk).tell("returned", transact_id=trade.reference)


def _failed_and_applied(desk: Desk) -> str:
    """An order failed, its debit proven absent; the operator applies it after all."""
    late.failed_order(desk)
    key = RemoteOperation.objects.get().key
    desk.wallet.applied[key] = RemoteRequest(key, "debit", "EUR", 10_000, "100.00", "alice", "")
    return key


def _confirmed_late(desk: Desk, key: str) -> None:
    look_up(key)
    drains.drain("relay")


def _settled_outside_and_applied(desk: Desk) -> str:
    """The reverse was declined, and settled outside by two people; the operator applies it after all."""
    desk.wallet.legs = {"reverse": [declined, None]}
    order = desk.order(user="magic-halt.alice")
    desk.drive(passes=1)
    decide(waiting(order.reference), "compensation_settled_outside", two=True)
    drains.drain("relay")
    key = f"{order.reference}:reverse:v1"
    desk.wallet.refused.clear()
    desk.wallet.applied[key] = RemoteRequest(key, "reverse", "EUR", 10_000, "100.00", "magic-halt.alice", "")
    return key


def _contradicted(desk: Desk, key: str) -> None:
    look_again(key)
    drains.drain("relay")


def _of_a_trade(desk: Desk) -> ReviewCase:
    _taken_back(desk, _bought(desk))
    return waiting(Return.objects.get().reference)


def _of_a_late_debit(desk: Desk) -> ReviewCase:
    _confirmed_late(desk, _failed_and_applied(desk))
    return waiting(Return.objects.get().reference)


def _adjusted(desk: Desk) -> ReviewCase:
    decide(_of_a_late_debit(desk), "adjust")
    drains.drain("sagas")  # its saga finds nothing to do, and stops
    return waiting(Return.objects.get().reference)


def _late_reverse_to_be_taken(desk: Desk) -> None:
    _contradicted(desk, _settled_outside_and_applied(desk))
    found = Return.objects.get()
    decide(waiting(found.reference), "adjust")
    decide(waiting(found.reference), "give_back", two=True)


def _asked(*debit: Step | None) -> Callable[[Desk], ReviewCase]:
    """A giving back by debit that met this, and came to people again; a lookup by hand has shown what it is."""

    def ready(desk: Desk) -> ReviewCase:
        _late_reverse_to_be_taken(desk)
        desk.wallet.legs = {"debit": [*debit, None]}
        drive(desk)
        case = waiting(Return.objects.get().reference)
        review_case.look_up_now(case_reference=case.reference, actor="user:olga", now=clock.now())
        return case

    return ready


def _decides(resolution: str, *, two: bool = False) -> Callable[[Desk, ReviewCase], None]:
    def act(desk: Desk, case: ReviewCase) -> None:
        decide(case, resolution, two=two)

    return act


def _ends(kind: str, leg: str, state: str, *waits: str) -> Callable[[Standing], bool]:
    def as_told(stands: Standing) -> bool:
        (found,) = stands.states[2]
        return found[:3] == (kind, leg, state) and stands.waits == list(waits)

    return as_told


DECIDED: dict[str, tuple[Story[ReviewCase], Callable[[Standing], bool]]] = {
    "a trade's return adjusted": (
        Story(_of_a_trade, _decides("adjust")),
        _ends("trade_returned", "debit", "adjusted", "return_adjusted"),
    ),
    "a late effect adjusted": (
        Story(_of_a_late_debit, _decides("adjust"), ONE_LOOKUP),
        _ends("late_effect", "debit", "adjusted", "return_adjusted"),
    ),
    "dismissed": (
        Story(_of_a_trade, _decides("dismiss", two=True)),
        _ends("trade_returned", "debit", "dismissed"),
    ),
    "kept": (
        Story(_adjusted, _decides("keep", two=True), ONE_LOOKUP),
        _ends("late_effect", "debit", "kept"),
    ),
    "to be given back": (
        Story(_adjusted, _decides("give_back", two=True), ONE_LOOKUP),
        _ends("late_effect", "debit", "adjusted"),
    ),
    "to be given back again": (
        Story(_asked(declined), _decides("give_back_again", two=True), ONE_LOOKUP),
        _ends("late_effect", "reverse", "adjusted"),
    ),
    "given back, proven": (
        Story(_asked(lost_after, server_error), _decides("given_back_proven", two=True), ONE_LOOKUP),
        _ends("late_effect", "reverse", "given_back"),
    ),
}


@pytest.mark.parametrize("name", DECIDED)
def test_what_people_decide_about_a_return_is_done_once_when_the_process_dies_at_any_point(
    name: str, desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, as_told = DECIDED[name]
    stands = survives(story, desk, flush, monkeypatch)
    assert as_told(stands), stands


OPENED: dict[str, tuple[Story[Any], Callable[[Standing], bool]]] = {
    "by its venue": (
        Story(_bought_at_a_venue, _told_by_the_venue),
        _ends("trade_returned", "debit", "open", "trade_returned"),
    ),
    "by a late confirmation": (
        Story(_failed_and_applied, _confirmed_late, ONE_LOOKUP),
        _ends("late_effect", "debit", "open", "late_debit"),
    ),
    "by a contradiction": (
        Story(_settled_outside_and_applied, _contradicted),
        _ends("late_effect", "reverse", "open", "late_reverse"),
    ),
    "by staff": (
        Story(_bought, _taken_back),
        _ends("trade_returned", "debit", "open", "trade_returned"),
    ),
}


@pytest.mark.parametrize("name", OPENED)
def test_return_is_opened_once_with_its_case_when_the_process_dies_at_any_point(
    name: str, desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, as_told = OPENED[name]
    stands = survives(story, desk, flush, monkeypatch)
    assert as_told(stands), stands


def _to_be_taken(debit: Sequence[Step | None], desk: Desk) -> None:
    """A sell whose trade was taken back and adjusted: two people decided that its credit is debited again."""
    desk.holding()
    sold = desk.sell()
    desk.drive(passes=1, pause=timedelta(seconds=1))
    assert reloaded(sold).state == "processed"
    _taken_back(desk, Trade.objects.get(order_reference=sold.reference))
    found = Return.objects.get()
    decide(waiting(found.reference), "adjust")
    decide(waiting(found.reference), "give_back", two=True)
    desk.wallet.legs = {"debit": list(debit)}


def _driven(desk: Desk, _: None) -> None:
    drive(desk)


def _taking(ready: Callable[[Desk], None], *, first: tuple[str, int]) -> Story[None]:
    return Story(ready, _driven, ONE_LOOKUP, first, unsent="give_back_unknown", confirms="RETURN_GIVEN_BACK")


TAKEN: dict[str, tuple[Story[None], Callable[[Standing], bool]]] = {
    "found": (
        _taking(partial(_to_be_taken, [None]), first=("before UPDATE orders_sagarun", 1)),
        _ends("trade_returned", "credit", "given_back"),
    ),
    "a late reverse, found": (
        _taking(_late_reverse_to_be_taken, first=("before ask", 1)),
        _ends("late_effect", "reverse", "given_back"),
    ),
    "unknown, found": (
        _taking(partial(_to_be_taken, [lost_after, None]), first=("after ask", 1)),
        _ends("trade_returned", "credit", "given_back"),
    ),
    "unknown": (
        _taking(partial(_to_be_taken, [lost_after, server_error]), first=("after lookup", 1)),
        _ends("trade_returned", "credit", "adjusted", "give_back_unknown"),
    ),
    "declined": (
        _taking(partial(_to_be_taken, [declined, None]), first=("after ask", 1)),
        _ends("trade_returned", "credit", "adjusted", "give_back_rejected"),
    ),
}


@pytest.mark.parametrize("name", TAKEN)
def test_giving_back_by_debit_takes_once_when_the_process_dies_at_any_point(
    name: str, desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    story, as_told = TAKEN[name]
    stands = survives(story, desk, flush, monkeypatch)
    assert as_told(stands), stands
    assert {order[1] for order in stands.states[0]} <= {"processed", "compensated"}, "the orders stay as they are"
