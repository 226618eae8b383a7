"""Review of a trade at an outside venue (DESIGN, section 6): *trade proven*, *trade absent*, for buys and sells."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.models import Event
from orders.models import Freeze, Order, Return, SagaRun
from orders.operations import hear_contradiction, review_case
from orders.operations.drive_stale import drive_stale
from orders.operations.freeze_order import lift_freeze
from orders.operations.review_case import NotAllowed
from orders.reviews.offers import offers
from reconciliation.previews import foreseen_of
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.lanes import Lanes, open_lanes, trades_of
from tests.orders.test_outside_venue import assert_over
from tests.orders.test_returns import decide
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error
from wallets import remote_operations
from wallets.gateway_port import RemoteRequest
from wallets.models import Gateway, RemoteOperation
from webhooks.routing import RelayedEvent

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def lanes(desk: Desk) -> Lanes:
    lanes = open_lanes(desk)
    Gateway.objects.update(not_found_horizon_ms=60_000)
    return lanes


def in_review(desk: Desk, lanes: Lanes, *, side: str, reserves: bool, execute: Sequence[Step | None]) -> Order:
    """An order whose trade is unknown at the cap; three lookups failed, the next follows the rest of the script."""
    if side == "sell":
        lanes.holding(reserves=reserves)
    desk.wallet.legs = {"execute": [execute[0], *[server_error] * 3, *execute[1:]]}
    amount = "100.00" if side == "buy" else "50.000000"
    order = lanes.order(reserves=reserves, side=side, amount=amount)
    while reloaded(order).state != "manual_review":
        desk.drive(passes=1, pause=timedelta(seconds=2))
    return reloaded(order)


def look_up(desk: Desk, order: Order) -> None:
    desk.later(minutes=5)
    review_case.look_up_now(case_reference=open_case(order).reference, actor="user:olga", now=clock.now())


def allowed(order: Order) -> set[str]:
    return {offer.resolution.value for offer in offers(case=open_case(order)) if offer.allowed}


@dataclass(frozen=True)
class Scenario:
    case: str
    side: str
    reserves: bool
    execute: Sequence[Step | None]
    permits: set[str]
    ends_in: str
    reason: str
    trade: str
    asked: Sequence[str]
    """What is asked after the decision."""


SCENARIOS = [
    Scenario(
        "trade proven: the trade is settled, the buy processed",
        *("buy", True, [lost_after, None], {"trade_proven"}, "processed", "", "settled", []),
    ),
    Scenario(
        "trade absent: released; the buy's debit is given back, the reservation released",
        *("buy", True, [lost_before, None], {"trade_absent"}, "compensated", "trade_absent", "released"),
        ["reverse", "release"],
    ),
    Scenario(
        "trade absent at a venue that cannot reserve",
        *("buy", False, [lost_before, None], {"trade_absent"}, "compensated", "trade_absent", "released", ["reverse"]),
    ),
    Scenario(
        "trade absent: a lookup finds that it was refused",
        *("buy", False, [lost_before, declined], {"trade_absent"}, "compensated", "trade_absent", "released"),
        ["reverse"],
    ),
    Scenario(
        "trade proven: own books settled, the sell's payout credited",
        *("sell", False, [lost_after, None], {"trade_proven"}, "processed", "", "settled", ["credit"]),
    ),
    Scenario(
        "trade absent: released; the sell failed, nothing moved",
        *("sell", False, [lost_before, None], {"trade_absent"}, "failed", "trade_absent", "released", []),
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.case)
def test_trade_under_review_ends_as_people_decide_by_evidence(scenario: Scenario, desk: Desk, lanes: Lanes) -> None:
    order = in_review(desk, lanes, side=scenario.side, reserves=scenario.reserves, execute=scenario.execute)
    assert allowed(order) == set(), "nothing is proven yet"
    before = books.balances()
    look_up(desk, order)
    assert books.balances() == before, "a lookup is evidence and moves no money"
    assert allowed(order) == scenario.permits
    (resolution,) = scenario.permits
    calls = len(desk.wallet.calls)
    assert decide(order.reference, resolution)
    desk.drive(passes=4)
    order = reloaded(order)
    assert (order.state, order.status_reason) == (scenario.ends_in, scenario.reason)
    assert [trade.state for trade in trades_of(order)] == [scenario.trade]
    assert sorted(key.split(":")[1] for kind, key in desk.wallet.calls[calls:] if kind == "ask") == sorted(
        scenario.asked
    )
    assert [key for kind, key in desk.wallet.calls if kind == "ask"].count(
        f"{trades_of(order)[0].reference}:execute:v1"
    ) == 1, "execution is never asked again from review"
    assert_over(desk)


@pytest.mark.parametrize(
    "resolution",
    ["debit_proven", "debit_absent", "compensate", "compensate_again", "compensation_proven", "trade_absent"],
)
def test_no_other_resolution_is_allowed_while_the_trade_may_have_been_executed(
    resolution: str, desk: Desk, lanes: Lanes
) -> None:
    """Above all the debit is not given back, nor asked for a second settlement."""
    order = in_review(desk, lanes, side="buy", reserves=True, execute=[lost_after, server_error])
    before = books.world()
    with pytest.raises(NotAllowed):
        decide(order.reference, resolution)
    assert books.world() == before


def test_what_a_resolution_would_do_is_shown_before(desk: Desk, lanes: Lanes) -> None:
    order = in_review(desk, lanes, side="buy", reserves=True, execute=[lost_after, None])
    look_up(desk, order)
    shown = {one.offer.resolution.value: one for one in foreseen_of(open_case(order))}
    proven, absent = shown["trade_proven"], shown["trade_absent"]
    assert proven.preview is not None
    assert (proven.preview.ends_in, proven.preview.remote) == ("processed", [])
    assert proven.preview.webhooks == ["order.processed", "trade.settled"]
    assert ("venues:north:clearing", "positions:acme:alice") in {
        (one.debit, one.credit) for one in proven.preview.postings
    }
    assert (absent.offer.ends_in, absent.why_not, absent.preview) == (
        "compensation_pending",
        "The trade is executed.",
        None,
    )


def test_what_is_given_back_and_released_is_shown_before(desk: Desk, lanes: Lanes) -> None:
    order = in_review(desk, lanes, side="buy", reserves=True, execute=[lost_before, None])
    look_up(desk, order)
    shown = {one.offer.resolution.value: one for one in foreseen_of(open_case(order))}
    absent = shown["trade_absent"].preview
    assert absent is not None
    assert absent.remote == [
        f"reverse, key {order.reference}:reverse:v1",
        f"release, key {trades_of(order)[0].reference}:release:v1",
    ]
    assert absent.webhooks == ["order.compensation_pending", "trade.released"]
    assert absent.ends_hold


def test_settled_sell_is_not_unwound_once_its_venue_has_executed_it(desk: Desk, lanes: Lanes) -> None:
    lanes.holding()
    desk.wallet.legs = {"credit": [declined]}
    order = lanes.order(side="sell", amount="50.000000")
    desk.drive(passes=2)
    shown = {offer.resolution.value: offer for offer in offers(case=open_case(reloaded(order)))}
    assert shown["unwind"].why_not == "Its venue has executed the trade and keeps it. Settle it outside."


def executed_late(desk: Desk, lanes: Lanes) -> tuple[Order, Return]:
    """Proven absent, given back, and executed after all."""
    order = in_review(desk, lanes, side="buy", reserves=False, execute=[lost_before, None])
    look_up(desk, order)
    decide(order.reference, "trade_absent")
    desk.drive(passes=3)
    assert reloaded(order).state == "compensated"
    operation = RemoteOperation.objects.get(leg="execute")
    assert operation.state == "absent"
    desk.wallet.applied[operation.key] = RemoteRequest(operation.key, "execute", "EUR", 1, "", "", "")
    desk.later(minutes=20)
    assert drive_stale() == 1
    drains.drain("relay")
    assert RemoteOperation.objects.get(leg="execute").state == "confirmed"
    return reloaded(order), Return.objects.get()


def test_late_execution_of_a_trade_that_was_given_up_is_a_return_that_people_decide(desk: Desk, lanes: Lanes) -> None:
    before = books.balances()
    order, found = executed_late(desk, lanes)
    (trade,) = trades_of(order)
    assert (order.state, trade.state) == ("compensated", "released"), "what is terminal stays"
    assert (found.state, found.kind, found.leg) == ("open", "late_effect", "execute")
    assert found.operation_key == f"{trade.reference}:execute:v1"
    assert open_case(order.__class__(reference=found.reference)).reason == "late_execute"
    assert not Freeze.objects.exists(), "people must be able to work the return"
    assert books.lines(subject=found.reference).total() == 0
    assert not Event.objects.filter(aggregate=found.reference, public=True).exists(), "it is not the operator's matter"

    assert decide(found.reference, "adjust")
    cash, position = int(lanes.quote(reserves=False).cash_minor), 107_310_000
    transit, venue = "transit:orders:acme", "venues:south:clearing"
    assert books.moved(found.reference) == {
        ("LATE_EFFECT", "posted", venue, transit, "USDT", position): 1,
        ("LATE_EFFECT", "posted", transit, venue, "EUR", cash): 1,
    }
    shown = {
        offer.resolution.value: offer for offer in offers(case=open_case(order.__class__(reference=found.reference)))
    }
    assert (
        shown["give_back"].why_not == "Nothing of the operator's moved: keep it for the net settlement with the venue."
    )

    assert decide(found.reference, "keep", second="user:lena")
    assert Return.objects.get().state == "kept"
    kept = {line: count for line, count in books.moved(found.reference).items() if line[0] == "RETURN_KEPT"}
    assert kept == {
        ("RETURN_KEPT", "posted", transit, venue, "USDT", position): 1,
        ("RETURN_KEPT", "posted", venue, transit, "EUR", cash): 1,
    }
    after = books.balances()
    for asset in ("EUR", "USDT"):
        debits, credits, *_ = after[transit, asset]
        assert debits == credits
        debits, credits, *_ = after[venue, asset]
        assert debits == credits, "left for the settlement with the venue"
    assert {key for key in before if key not in after} == set()


def test_late_execution_is_dismissed_by_two_people_and_opened_once(desk: Desk, lanes: Lanes) -> None:
    order, found = executed_late(desk, lanes)
    told = Event.objects.get(topic="remote_operation.late")
    names = ("id", "reference", "environment", "operator_id", "topic", "aggregate", "sequence", "payload")
    again = {name: getattr(told, name) for name in (*names, "request_id", "recorded_at")}
    hear_contradiction.hear_late_execution(RelayedEvent(**again))
    assert Return.objects.count() == 1
    assert decide(found.reference, "dismiss", second="user:lena")
    assert Return.objects.get().state == "dismissed"
    assert books.lines(subject=found.reference).total() == 0
    assert reloaded(order).state == "compensated"


def test_what_turns_out_to_be_executed_before_it_is_released_is_not_released(desk: Desk, lanes: Lanes) -> None:
    """Its release was written down when it was proven absent: it is withdrawn, not tried for ever."""
    order = in_review(desk, lanes, side="buy", reserves=True, execute=[lost_before, None])
    look_up(desk, order)
    decide(order.reference, "trade_absent")
    operation = RemoteOperation.objects.get(leg="execute")
    desk.wallet.applied[operation.key] = RemoteRequest(operation.key, "execute", "EUR", 1, "", "", "")
    remote_operations.look_up(operation.key)
    assert RemoteOperation.objects.get(leg="execute").state == "confirmed"
    desk.drive(passes=6)
    drains.drain("relay")
    assert reloaded(order).state == "compensated"
    assert RemoteOperation.objects.get(leg="release").state == "withdrawn"
    assert [key for _, key in desk.wallet.calls if ":release:" in key] == []
    assert not SagaRun.objects.exists()
    assert (Return.objects.get().leg, Return.objects.get().state) == ("execute", "open")


def test_late_execution_found_while_its_order_is_given_back_is_a_return_when_it_has_ended(
    desk: Desk, lanes: Lanes
) -> None:
    order = in_review(desk, lanes, side="buy", reserves=False, execute=[lost_before, None])
    look_up(desk, order)
    desk.wallet.legs["reverse"] = [lost_before]
    decide(order.reference, "trade_absent")
    desk.drive(passes=1)
    assert reloaded(order).state == "compensation_pending"
    operation = RemoteOperation.objects.get(leg="execute")
    desk.wallet.applied[operation.key] = RemoteRequest(operation.key, "execute", "EUR", 1, "", "", "")
    remote_operations.look_up(operation.key)
    drains.drain("relay")
    assert Freeze.objects.get().reason.endswith("and was executed late")
    assert not Return.objects.exists()
    with db_transaction.atomic():
        lift_freeze(order_reference=order.reference, actor="user:lead", now=clock.now())
    desk.wallet.legs["reverse"] = [None]
    desk.later(minutes=5)
    desk.drive(passes=4)
    if reloaded(order).state == "manual_review":
        decide(order.reference, "compensate_again")
        desk.drive(passes=4)
    assert reloaded(order).state == "compensated"
    drains.drain("relay")
    found = Return.objects.get()
    assert (found.leg, found.operation_key, found.state) == ("execute", operation.key, "open")
    assert decide(found.reference, "adjust")
