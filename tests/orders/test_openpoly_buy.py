"""OpenPoly's buy flow, failure handling and manual review rule: one row per sentence."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger import balances
from ledger.controls.audit import status_changes
from ledger.models import Event, Hold, Posting
from orders.models import Pool
from orders.operations.halt_pool import halt_pool
from tests.orders import wallet as answers
from tests.orders.desk import Desk, open_case, reloaded, trade_of

pytestmark = pytest.mark.usefixtures("database")

HALTED = "halted after acceptance"
FILLS = "fills"


@dataclass(frozen=True)
class Scenario:
    case: str
    script: Sequence[answers.Step | None]
    venue: str
    ends_in: str
    reason: str
    calls: Sequence[str]
    topics: Sequence[str]
    posted: int
    """Postings that moved money in the end: `posted` and `post`."""
    review: str = ""
    gateway: dict[str, object] = field(default_factory=dict)


_START = ["order.queued", "order.processing", "order.operator_debit_pending"]

SCENARIOS = [
    Scenario(
        "if debit succeeds, OpenPoly executes the AMM trade and commits the final order state",
        [None],
        FILLS,
        "processed",
        "",
        ["ask debit"],
        [*_START, "order.operator_debited", "order.processed"],
        5,
    ),
    Scenario(
        "debit failed: order failed, no AMM trade, failure webhook emitted",
        [answers.declined],
        FILLS,
        "failed",
        "debit_declined",
        ["ask debit"],
        [*_START, "order.failed"],
        0,
    ),
    Scenario(
        "debit unknown, then found by a lookup: the saga goes on",
        [answers.lost_after, None],
        FILLS,
        "processed",
        "",
        ["ask debit", "lookup debit"],
        [*_START, "order.operator_debited", "order.processed"],
        5,
    ),
    Scenario(
        "debit unknown: manual review, no AMM trade until resolved",
        [answers.lost_after, answers.server_error],
        FILLS,
        "manual_review",
        "debit_unknown",
        ["ask debit", "lookup debit", "lookup debit", "lookup debit"],
        [*_START, "order.manual_review"],
        0,
        review="debit_unknown",
    ),
    Scenario(
        "debit unknown and never applied: not found proves nothing before the horizon",
        [answers.lost_before, None],
        FILLS,
        "manual_review",
        "debit_unknown",
        ["ask debit", "lookup debit", "lookup debit", "lookup debit"],
        [*_START, "order.manual_review"],
        0,
        review="debit_unknown",
        gateway={"not_found_horizon_ms": 86_400_000},
    ),
    Scenario(
        "downstream completion failed after the debit: compensation, compensated",
        [None],
        HALTED,
        "compensated",
        "pool_halted",
        ["ask debit", "ask reverse"],
        [*_START, "order.operator_debited", "order.compensation_pending", "order.compensated"],
        2,
    ),
    Scenario(
        "compensation unknown, then found: compensated",
        [None, answers.lost_after, None],
        HALTED,
        "compensated",
        "pool_halted",
        ["ask debit", "ask reverse", "lookup reverse"],
        [*_START, "order.operator_debited", "order.compensation_pending", "order.compensated"],
        2,
    ),
    Scenario(
        "compensation rejected: manual review",
        [None, answers.declined],
        HALTED,
        "manual_review",
        "reverse_rejected",
        ["ask debit", "ask reverse"],
        [*_START, "order.operator_debited", "order.compensation_pending", "order.manual_review"],
        1,
        review="reverse_rejected",
    ),
    Scenario(
        "compensation unknown at the cap: manual review, never a new key",
        [None, answers.lost_before, answers.server_error],
        HALTED,
        "manual_review",
        "reverse_unknown",
        ["ask debit", "ask reverse", "lookup reverse", "lookup reverse", "lookup reverse"],
        [*_START, "order.operator_debited", "order.compensation_pending", "order.manual_review"],
        1,
        review="reverse_unknown",
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.case)
def test_order_ends_as_openpoly_says(scenario: Scenario, desk: Desk) -> None:
    from wallets.models import Gateway

    if scenario.gateway:
        Gateway.objects.update(**scenario.gateway)
    desk.wallet.script = list(scenario.script)
    user = "magic-halt.alice" if scenario.venue == HALTED else "alice"
    order = desk.order("100.00", user=user)
    desk.drive(passes=15)

    order = reloaded(order)
    assert (order.state, order.status_reason) == (scenario.ends_in, scenario.reason)
    assert [f"{kind} {key.split(':')[1]}" for kind, key in desk.wallet.calls] == list(scenario.calls)
    assert all(key.endswith(":v1") for _, key in desk.wallet.calls)
    topics = Event.objects.filter(aggregate=order.reference).order_by("sequence").values_list("topic", flat=True)
    assert list(topics) == list(scenario.topics)
    assert [change.status for change in status_changes(order.reference)] == [
        topic.removeprefix("order.") for topic in scenario.topics
    ]
    moved = Posting.objects.filter(transaction__subject=order.reference, kind__in=["posted", "post"])
    assert moved.count() == scenario.posted
    if scenario.review:
        assert open_case(order).reason == scenario.review
    _assert_books(desk, order.reference, ended=order.terminal)


def _assert_books(desk: Desk, reference: str, *, ended: bool) -> None:
    """Transit is zero once the order has ended; no hold is left open; what the wallet lost is what it owes us."""
    read = balances.read(environment="test", accounts=[("transit:orders:acme", "EUR"), ("operators:acme:due", "EUR")])
    transit = read["transit:orders:acme", "EUR"]
    if ended:
        assert (transit.posted, transit.debits_pending, transit.credits_pending) == (0, 0, 0)
        assert not Hold.objects.filter(transaction__subject=reference, state="open").exists()
        applied = {key.split(":")[1] for key in desk.wallet.applied}
        assert read["operators:acme:due", "EUR"].posted == (10_000 if applied == {"debit"} else 0)


def test_order_fails_and_nothing_is_asked_when_the_gateway_is_paused_beyond_execute_by(desk: Desk) -> None:
    from wallets.models import Gateway

    Gateway.objects.update(paused_until=desk.clock.now() + timedelta(days=1), paused_reason="maintenance")
    order = desk.order()
    desk.drive(passes=60)
    order = reloaded(order)
    assert (order.state, order.status_reason) == ("failed", "debit_not_asked")
    assert desk.wallet.calls == []
    assert trade_of(order).state == "released"
    _assert_books(desk, order.reference, ended=True)


def test_order_fails_and_nothing_is_asked_when_its_pool_is_halted_before_the_debit(desk: Desk) -> None:
    order = desk.order()
    with db_transaction.atomic():
        halt_pool(pool=Pool.objects.get(code="EUR-USDT"), reason="test", actor="user:lead", now=desk.clock.now())
    desk.drive(passes=3)
    order = reloaded(order)
    assert (order.state, order.status_reason) == ("failed", "pool_halted")
    assert trade_of(order).state == "failed"
    assert desk.wallet.calls == []


def test_pending_debit_is_looked_up_slowly_and_not_counted_before_its_horizon(desk: Desk) -> None:
    desk.wallet.script = [answers.pending]
    order = desk.order()
    desk.drive(passes=20)
    assert reloaded(order).state == "operator_debit_pending"
    desk.wallet.script = [None]
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"


def test_order_is_worth_its_quote_in_a_pool_of_another_asset(desk: Desk) -> None:
    order = desk.order("100.00", pool="USD-ETH")
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    read = balances.read(environment="test", accounts=[("fx:EUR", "EUR"), ("fx:USD", "USD")])
    assert read["fx:EUR", "EUR"].posted == 10_000 - 70 - 13
    assert read["fx:USD", "USD"].posted == -((10_000 - 70 - 13) * 10_850 // 10_000)
