"""Trades at an outside venue: 0Pools' state mapping, DESIGN's flows, and what becomes of what the venue leaves unknown."""
# mypy: disable-error-code=arg-type
# The rows of the table are unpacked in pieces, to stay within a line.

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.models import Hold
from orders.models import SagaRun
from orders.operations.halt_pool import halt_pool
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.lanes import Lanes, open_lanes, pool_of, trades_of
from tests.orders.wallet import (
    ScriptedWallet,
    Step,
    contradictory,
    declined,
    lost_after,
    lost_before,
    pending,
    server_error,
    true_state,
    unreadable,
)
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Gateway
from wallets.outcomes import Rejected

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def lanes(desk: Desk) -> Lanes:
    return open_lanes(desk)


def refusing(reason: str) -> Step:
    """Refuse for sure, in the venue's word, and remember that."""

    def step(wallet: object, kind: str, request: RemoteRequest) -> Reply:
        desk_wallet = wallet
        desk_wallet.refused[request.key] = reason  # type: ignore[attr-defined]  # a ScriptedWallet
        return Reply(Rejected(reason), 422)

    return step


TRUTH = None
RESERVES, PLAIN = True, False
UNDISTURBED: Mapping[str, Sequence[Step | None]] = {}


@dataclass(frozen=True)
class Scenario:
    case: str
    reserves: bool
    legs: Mapping[str, Sequence[Step | None]]
    ends_in: str
    reason: str
    calls: str
    trades: str
    postings: int
    """Those that moved money in the end."""
    gateway: Mapping[str, object] = field(default_factory=dict)


_HAPPY = "ask reserve, ask debit, ask execute"
BUYS = [
    Scenario(
        "settled: reserved, debited, executed; finalize debit/credit according to flow",
        *(RESERVES, UNDISTURBED, "processed", "", _HAPPY, "settled", 5),
    ),
    Scenario(
        "settled at a venue that cannot reserve: debited, then executed",
        *(PLAIN, UNDISTURBED, "processed", "", "ask debit, ask execute", "settled", 5),
    ),
    Scenario(
        "failed before the debit: the venue refuses to reserve, nothing has moved",
        *(RESERVES, {"reserve": [declined]}, "failed", "trade_refused", "ask reserve", "failed", 0),
    ),
    Scenario(
        "failed before the debit: the price has moved, and the operator is told so",
        *(RESERVES, {"reserve": [refusing("price_moved")]}, "failed", "price_moved", "ask reserve", "failed", 0),
    ),
    Scenario(
        "reserved, found by a lookup",
        *(RESERVES, {"reserve": [lost_after, TRUTH]}, "processed", ""),
        *("ask reserve, lookup reserve, ask debit, ask execute", "settled", 5),
    ),
    Scenario(
        "reservation unknown at the cap: failed, since nothing has moved; what may stand is released",
        *(RESERVES, {"reserve": [lost_after, server_error]}, "failed", "trade_not_reserved"),
        *("ask reserve, lookup reserve, lookup reserve, lookup reserve, ask release, lookup reserve", "released", 0),
    ),
    Scenario(
        "the debit is declined: remove hold, here and at the venue",
        *(RESERVES, {"debit": [declined]}, "failed", "debit_declined"),
        *("ask reserve, ask debit, ask release", "released", 0),
    ),
    Scenario(
        "a release is driven until answered, also after the order has ended",
        *(RESERVES, {"debit": [declined], "release": [lost_before, *[server_error] * 7, TRUTH]}, "failed"),
        *("debit_declined", "ask reserve, ask debit, ask release" + ", lookup release" * 8 + ", ask release"),
        *("released", 0),
    ),
    Scenario(
        "failed after the debit: reverse pending state, the debit is given back",
        *(PLAIN, {"execute": [declined]}, "compensated", "trade_refused"),
        *("ask debit, ask execute, ask reverse", "failed", 2),
    ),
    Scenario(
        "refused by a venue that had reserved: given back, and what it may hold released",
        *(RESERVES, {"execute": [declined]}, "compensated", "trade_refused"),
        *(_HAPPY + ", ask reverse, ask release", "failed", 2),
    ),
    Scenario(
        "executed, found by a lookup after a timeout",
        *(
            PLAIN,
            {"execute": [lost_after, TRUTH]},
            "processed",
            "",
            "ask debit, ask execute, lookup execute",
            "settled",
            5,
        ),
    ),
    Scenario(
        "an answer about other terms is no answer: the lookup decides",
        *(RESERVES, {"execute": [contradictory, TRUTH]}, "processed", "", _HAPPY + ", lookup execute", "settled", 5),
    ),
    Scenario(
        "an answer that cannot be read is no answer: the lookup decides",
        *(PLAIN, {"execute": [unreadable, TRUTH]}, "processed", ""),
        *("ask debit, ask execute, lookup execute", "settled", 5),
    ),
    Scenario(
        "accepted, still working for long, then executed",
        *(PLAIN, {"execute": [*[pending] * 6, TRUTH]}, "processed", ""),
        *("ask debit, ask execute" + ", lookup execute" * 6, "settled", 5),
    ),
    Scenario(
        "unknown at the cap: manual review, never a guess",
        *(PLAIN, {"execute": [lost_after, server_error]}, "manual_review", "trade_unknown"),
        *("ask debit, ask execute" + ", lookup execute" * 3, "reserved", 1),
    ),
    Scenario(
        "not found before the horizon proves nothing: manual review",
        *(RESERVES, {"execute": [lost_before, TRUTH]}, "manual_review", "trade_unknown"),
        *(_HAPPY + ", lookup execute" * 3, "reserved", 1, {"not_found_horizon_ms": 86_400_000}),
    ),
    Scenario(
        "released while the order lives: remove hold and allow retry; the retry settles",
        *(RESERVES, {"execute": [refusing("released"), TRUTH]}, "processed", ""),
        *(_HAPPY + ", ask release, ask reserve, ask execute", "released settled", 5),
    ),
    Scenario(
        "released twice: it is tried once more, and once only",
        *(RESERVES, {"execute": [refusing("released")]}, "compensated", "trade_refused"),
        *(_HAPPY + ", ask release, ask reserve, ask execute, ask reverse, ask release", "released released", 2),
    ),
    Scenario(
        "released, and the terms do not hold any more: given back",
        *(RESERVES, {"execute": [refusing("released")], "reserve": [TRUTH, refusing("price_moved")]}, "compensated"),
        *("price_moved", _HAPPY + ", ask release, ask reserve, ask reverse", "released failed", 2),
    ),
    Scenario(
        "released at a venue that never reserved: there is nothing to try again",
        *(PLAIN, {"execute": [refusing("released")]}, "compensated", "trade_refused"),
        *("ask debit, ask execute, ask reverse", "released", 2),
    ),
]


@pytest.mark.parametrize("scenario", BUYS, ids=lambda scenario: scenario.case)
def test_buy_ends_as_its_venue_says(scenario: Scenario, desk: Desk, lanes: Lanes) -> None:
    Gateway.objects.update(**scenario.gateway)
    desk.wallet.legs = {leg: list(steps) for leg, steps in scenario.legs.items()}
    order = lanes.order(reserves=scenario.reserves)
    desk.drive(passes=40)
    order = reloaded(order)
    assert (order.state, order.status_reason) == (scenario.ends_in, scenario.reason)
    asked = [(kind, key.split(":")) for kind, key in desk.wallet.calls]
    if scenario.ends_in == "manual_review":  # lookups in the background go on
        asked = asked[: len(scenario.calls.split(", "))]
    assert sorted(f"{kind} {key[1]}" for kind, key in asked) == sorted(scenario.calls.split(", "))
    in_order = [f"{kind} {key[1]}" for kind, key in asked if key[1] != "release"]
    assert in_order == [call for call in scenario.calls.split(", ") if "release" not in call]
    assert " ".join(trade.state for trade in trades_of(order)) == scenario.trades
    assert books.moved(order.reference).total() == scenario.postings
    if order.terminal:
        assert_over(desk)


def assert_over(desk: Desk) -> None:
    """Nothing is held or in transit, nothing is left to drive, and per asset all sums to zero."""
    standing = books.balances()
    transit = standing["transit:orders:acme", "EUR"]
    assert (transit[0] - transit[1], transit[2], transit[3]) == (0, 0, 0)
    assert not Hold.objects.filter(state="open").exists()
    assert not SagaRun.objects.exists()
    for asset in {asset for _, asset in standing}:
        columns = [row for (_, of), row in standing.items() if of == asset]
        assert sum(row[0] for row in columns) == sum(row[1] for row in columns)


SELLS = [
    Scenario(
        "reserved at the venue, executed there, then our own books settled, then the wallet credited",
        *(RESERVES, UNDISTURBED, "processed", "", "ask reserve, ask execute, ask credit", "settled", 5),
    ),
    Scenario(
        "at a venue that cannot reserve: executed at once",
        *(PLAIN, UNDISTURBED, "processed", "", "ask execute, ask credit", "settled", 5),
    ),
    Scenario(
        "the reservation refused: nothing moved, the position is free again, nothing is executed",
        *(RESERVES, {"reserve": [refusing("price_moved")]}, "failed", "price_moved", "ask reserve", "failed", 0),
    ),
    Scenario(
        "the reservation unknown at the cap: nothing moved, and what may stand is released",
        *(RESERVES, {"reserve": [lost_after, server_error]}, "failed", "trade_not_reserved"),
        *("ask reserve" + ", lookup reserve" * 4 + ", ask release", "released", 0),
    ),
    Scenario(
        "released while the order lives: remove hold and allow retry; the retry settles",
        *(RESERVES, {"execute": [refusing("released"), TRUTH]}, "processed", ""),
        *("ask reserve, ask execute, ask release, ask reserve, ask execute, ask credit", "released settled", 5),
    ),
    Scenario(
        "reserved, then refused: nothing moved, the reservation is released",
        *(RESERVES, {"execute": [declined]}, "failed", "trade_refused", "ask reserve, ask execute, ask release"),
        *("failed", 0),
    ),
    Scenario(
        "refused: nothing moved, the position is free again",
        *(PLAIN, {"execute": [declined]}, "failed", "trade_refused", "ask execute", "failed", 0),
    ),
    Scenario(
        "found by a lookup",
        *(PLAIN, {"execute": [lost_after, TRUTH]}, "processed", ""),
        *("ask execute, lookup execute, ask credit", "settled", 5),
    ),
    Scenario(
        "unknown at the cap: manual review, nothing credited",
        *(PLAIN, {"execute": [lost_after, server_error]}, "manual_review", "trade_unknown"),
        *("ask execute" + ", lookup execute" * 3, "reserved", 0),
    ),
]


@pytest.mark.parametrize("scenario", SELLS, ids=lambda scenario: scenario.case)
def test_sell_ends_as_its_venue_says(scenario: Scenario, desk: Desk, lanes: Lanes) -> None:
    lanes.holding(reserves=scenario.reserves)
    desk.wallet.legs = {leg: list(steps) for leg, steps in scenario.legs.items()}
    order = lanes.order(reserves=scenario.reserves, side="sell", amount="50.000000")
    desk.drive(passes=12)
    order = reloaded(order)
    assert (order.state, order.status_reason) == (scenario.ends_in, scenario.reason)
    calls = [f"{kind} {key.split(':')[1]}" for kind, key in desk.wallet.calls]
    if scenario.ends_in == "manual_review":  # lookups in the background go on
        calls = calls[: len(scenario.calls.split(", "))]
    assert sorted(calls) == sorted(scenario.calls.split(", "))
    driven_aside = "ask release"
    assert [one for one in calls if one != driven_aside] == [
        one for one in scenario.calls.split(", ") if one != driven_aside
    ]
    assert " ".join(trade.state for trade in trades_of(order)) == scenario.trades
    assert books.moved(order.reference).total() == scenario.postings
    if order.terminal:
        assert_over(desk)


def test_a_sell_is_not_even_reserved_once_its_pool_is_halted(desk: Desk, lanes: Lanes) -> None:
    lanes.holding()
    order = lanes.order(side="sell", amount="50.000000")
    with db_transaction.atomic():
        halt_pool(pool=pool_of(reserves=True), reason="test", actor="user:lead", now=desk.clock.now())
    desk.drive(passes=2)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("failed", "pool_halted")
    assert desk.wallet.calls == []
    assert_over(desk)


def test_the_pools_accounts_are_the_venues_clearing_accounts(desk: Desk, lanes: Lanes) -> None:
    order = lanes.order()
    desk.drive(passes=1, pause=timedelta(seconds=1))
    standing = books.balances()
    cash = int(lanes.quote().cash_minor)
    assert standing["venues:north:clearing", "EUR"] == (0, cash, 0, 0), "we owe it the cash"
    assert standing["venues:north:clearing", "USDT"] == (107_310_000, 0, 0, 0), "it owes us the position"
    assert standing["positions:acme:alice", "USDT"][1] == 107_310_000
    assert reloaded(order).state == "processed"


def test_retry_names_the_released_trade_and_carries_its_terms(desk: Desk, lanes: Lanes) -> None:
    desk.wallet.legs = {"execute": [refusing("released"), TRUTH]}
    order = lanes.order()
    desk.drive(passes=2)
    first, second = trades_of(order)
    assert (first.retry_of, second.retry_of) == ("", first.reference)
    assert second.terms == first.terms
    assert second.hold_key != first.hold_key
    assert books.path(order.reference).count("operator_debited") == 1, "the order stayed where it was"
    assert [key for kind, key in desk.wallet.calls if kind == "ask" and ":execute:" in key] == [
        f"{first.reference}:execute:v1",
        f"{second.reference}:execute:v1",
    ]


def test_nothing_is_asked_of_a_venue_once_its_pool_is_halted(desk: Desk, lanes: Lanes) -> None:
    """Reserved and debited, not yet executed: it fails for sure, the debit is given back, the reservation released."""

    def halted_meanwhile(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        with db_transaction.atomic():
            halt_pool(pool=pool_of(reserves=True), reason="test", actor="user:lead", now=desk.clock.now())
        return true_state(wallet, kind, request)

    desk.wallet.legs = {"debit": [halted_meanwhile]}
    order = lanes.order()
    desk.drive(passes=3)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("compensated", "pool_halted")
    asked = [key.split(":")[1] for kind, key in desk.wallet.calls]
    assert sorted(asked) == ["debit", "release", "reserve", "reverse"]
    assert_over(desk)


def test_debited_order_is_compensated_when_its_venue_was_not_asked_by_execute_by(desk: Desk, lanes: Lanes) -> None:
    """A venue that cannot reserve is asked before `execute_by` only; the gateway is paused beyond it."""
    paused = desk.clock.now() + timedelta(days=1)
    order = lanes.order(reserves=False)
    Gateway.objects.filter(channel="venue:south").update(paused_until=paused, paused_reason="maintenance")
    desk.drive(passes=29)
    assert reloaded(order).state == "operator_debited"
    desk.drive(passes=4)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("compensated", "trade_not_asked")
    assert [key.split(":")[1] for _, key in desk.wallet.calls] == ["debit", "reverse"]
    assert_over(desk)


def test_order_fails_when_its_venue_was_not_asked_to_reserve_by_execute_by(desk: Desk, lanes: Lanes) -> None:
    order = lanes.order()
    until = desk.clock.now() + timedelta(days=1)
    Gateway.objects.filter(channel="venue:north").update(paused_until=until, paused_reason="maintenance")
    desk.drive(passes=33)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("failed", "trade_not_asked")
    assert desk.wallet.calls == []
    assert_over(desk)


def test_reserved_order_waits_for_its_venue_however_late(desk: Desk, lanes: Lanes) -> None:
    """Expiry limits acceptance, not execution: a venue that holds the terms is asked when it can be asked again."""
    order = lanes.order()
    seen: list[str] = []

    def paused_meanwhile(wallet: object, kind: str, request: RemoteRequest) -> Reply:
        seen.append(request.key)
        until = desk.clock.now() + timedelta(minutes=30)
        Gateway.objects.filter(channel="venue:north").update(paused_until=until, paused_reason="maintenance")
        return true_state(wallet, kind, request)

    desk.wallet.legs = {"debit": [paused_meanwhile]}
    desk.drive(passes=40)
    assert reloaded(order).state == "operator_debited"
    desk.drive(passes=30)
    assert reloaded(order).state == "processed"
    assert len(seen) == 1


def test_review_of_an_unknown_trade_waits_for_people_and_shows_the_venue_s_side_to_them_alone(
    desk: Desk, lanes: Lanes
) -> None:
    desk.wallet.legs = {"execute": [lost_after, server_error]}
    order = lanes.order(reserves=False)
    desk.drive(passes=10)
    case = open_case(reloaded(order))
    assert (case.reason, case.next_action) == (
        "trade_unknown",
        "Look up the trade at its venue; prove it or its absence.",
    )


def test_releases_that_nobody_answers_are_counted(desk: Desk, lanes: Lanes) -> None:
    from ledger.controls import metrics

    (unanswered,) = (metric for metric in metrics.registered() if metric.name == "holdfast_releases_unanswered")
    desk.wallet.legs = {"debit": [declined], "release": [server_error]}
    lanes.order()
    desk.drive(passes=5)
    assert {labels["environment"]: number for labels, number in unanswered.collect()} == {"live": 0, "test": 1}
    desk.wallet.legs["release"] = [TRUTH]
    desk.drive(passes=30)
    assert {labels["environment"]: number for labels, number in unanswered.collect()} == {"live": 0, "test": 0}


@pytest.mark.parametrize(("first", "then"), [("execute", "release"), ("release", "execute"), ("release", "reserve")])
def test_the_door_refuses_what_the_other_leg_forbids_whatever_the_saga_believes(
    first: str, then: str, desk: Desk, lanes: Lanes
) -> None:
    """What may be executed is not released; what was given up is neither executed nor reserved."""
    from orders.sagas import venue_legs
    from wallets import remote_operations
    from wallets.models import RemoteOperation

    order = lanes.order()
    (trade,) = trades_of(order)
    desk.wallet.legs = {first: [lost_after]}
    remote_operations.perform(venue_legs.leg(order, trade, first), waits=lambda: True)
    calls = list(desk.wallet.calls)
    with pytest.raises(remote_operations.Unfounded):
        remote_operations.perform(venue_legs.leg(order, trade, then), waits=lambda: True)
    assert desk.wallet.calls == calls
    assert RemoteOperation.objects.get(leg=then).state == "prepared"
