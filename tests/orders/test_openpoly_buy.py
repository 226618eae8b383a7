"""OpenPoly's buy flow, failure handling, manual review rule and compensation: one row per sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.models import Event, Hold
from orders.models import Pool
from orders.operations.halt_pool import halt_pool
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.wallet import (
    ScriptedWallet,
    Step,
    contradictory,
    declined,
    lost_after,
    lost_before,
    pending,
    server_error,
    unreadable,
)
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Gateway, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")

NEVER, FILLS, HALTS_ITSELF, HALTED = "never asked", "fills", "halts itself by magic value", "halted after acceptance"
TRUTH = None
"""The wallet does what it is asked, and says so."""


@dataclass(frozen=True)
class Scenario:
    case: str
    debit: Sequence[Step | None]
    venue: str
    reverse: Sequence[Step | None]
    ends_in: str
    reason: str
    calls: str
    postings: int
    """Those that moved money in the end."""
    trade: str
    webhooks: str
    """Topics of the order's events after its first three."""
    gateway: Mapping[str, object] = field(default_factory=dict)


_PENDING = ["order.queued", "order.processing", "order.operator_debit_pending"]
_SHORT_HORIZON = {"not_found_horizon_ms": 20_000}
_LONG_HORIZON = {"not_found_horizon_ms": 86_400_000}

SCENARIOS = [
    #        case                       debit answers                 venue   reverse  ends in  reason  wallet calls
    Scenario(
        "5-8: operator wallet debited, then the AMM trade, then the final state, then the webhook",
        *([TRUTH], FILLS, [], "processed", ""),
        *("ask debit", 5, "settled", "operator_debited processed"),
    ),
    Scenario(
        "debit failed: order failed, no AMM trade, failure webhook emitted",
        *([declined], NEVER, [], "failed", "debit_declined"),
        *("ask debit", 0, "released", "failed"),
    ),
    Scenario(
        "debit failed, as a lookup says after a timeout",
        *([lost_before, declined], NEVER, [], "failed", "debit_declined"),
        *("ask debit, lookup debit", 0, "released", "failed"),
    ),
    Scenario(
        "use the lookup endpoint before any retry after timeout: found, the order goes on",
        *([lost_after, TRUTH], FILLS, [], "processed", ""),
        *("ask debit, lookup debit", 5, "settled", "operator_debited processed"),
    ),
    Scenario(
        "an answer about another amount is no answer: the lookup decides",
        *([contradictory, TRUTH], FILLS, [], "processed", ""),
        *("ask debit, lookup debit", 5, "settled", "operator_debited processed"),
    ),
    Scenario(
        "an answer that cannot be read is no answer: the lookup decides",
        *([unreadable, TRUTH], FILLS, [], "processed", ""),
        *("ask debit, lookup debit", 5, "settled", "operator_debited processed"),
    ),
    Scenario(
        "debit unknown: manual review, no AMM trade until resolved",
        *([lost_after, server_error], NEVER, [], "manual_review", "debit_unknown"),
        *("ask debit, lookup debit, lookup debit, lookup debit", 0, "reserved", "manual_review"),
    ),
    Scenario(
        "debit unknown: contradictory at every lookup is never believed",
        *([contradictory], NEVER, [], "manual_review", "debit_unknown"),
        *("ask debit, lookup debit, lookup debit, lookup debit", 0, "reserved", "manual_review"),
    ),
    Scenario(
        "debit unknown: not found before the horizon proves nothing",
        *([lost_before, TRUTH], NEVER, [], "manual_review", "debit_unknown"),
        *("ask debit, lookup debit, lookup debit, lookup debit", 0, "reserved", "manual_review", _LONG_HORIZON),
    ),
    Scenario(
        "debit unknown: not found after the horizon is for people to decide, not a failure",
        *([lost_before, TRUTH], NEVER, [], "manual_review", "debit_unknown"),
        *("ask debit, lookup debit, lookup debit, lookup debit", 0, "reserved", "manual_review", _SHORT_HORIZON),
    ),
    Scenario(
        "proven absent at a gateway that resubmits: asked again, with the same key",
        *([lost_before, TRUTH], FILLS, [], "processed", ""),
        *("ask debit, lookup debit, ask debit", 5, "settled", "operator_debited processed"),
        {**_SHORT_HORIZON, "resubmit": True},
    ),
    Scenario(
        "a resubmitted debit that is never answered has an end: manual review",
        *([lost_before, *[TRUTH, lost_before] * 9], NEVER, [], "manual_review", "debit_unknown"),
        *("ask debit, lookup debit, ask debit, lookup debit, ask debit, lookup debit", 0, "reserved", "manual_review"),
        {**_SHORT_HORIZON, "resubmit": True, "time_limit_ms": 1_000},
    ),
    Scenario(
        "accepted, still working: looked up slowly and not counted before the pending horizon",
        *([*[pending] * 8, TRUTH], FILLS, [], "processed", ""),
        *("ask debit" + ", lookup debit" * 8, 5, "settled", "operator_debited processed"),
    ),
    Scenario(
        "accepted, still working, then declined",
        *([*[pending] * 4, declined], NEVER, [], "failed", "debit_declined"),
        *("ask debit" + ", lookup debit" * 4, 0, "released", "failed"),
    ),
    Scenario(
        "still working past the pending horizon counts: manual review",
        *([pending], NEVER, [], "manual_review", "debit_unknown"),
        *("ask debit" + ", lookup debit" * 5, 0, "reserved", "manual_review", {"pending_horizon_ms": 60_000}),
    ),
    Scenario(
        "debit succeeded but downstream completion failed: compensation_pending, compensated",
        *([TRUTH], HALTS_ITSELF, [TRUTH], "compensated", "pool_halted"),
        *("ask debit, ask reverse", 2, "failed", "operator_debited compensation_pending compensated"),
    ),
    Scenario(
        "the pool was halted by staff after acceptance: compensated",
        *([TRUTH], HALTED, [TRUTH], "compensated", "pool_halted"),
        *("ask debit, ask reverse", 2, "failed", "operator_debited compensation_pending compensated"),
    ),
    Scenario(
        "compensation unknown, then found: compensated",
        *([TRUTH], HALTS_ITSELF, [lost_after, TRUTH], "compensated", "pool_halted"),
        *("ask debit, ask reverse, lookup reverse", 2, "failed"),
        "operator_debited compensation_pending compensated",
    ),
    Scenario(
        "compensation still working for long: compensated in the end",
        *([TRUTH], HALTS_ITSELF, [*[pending] * 6, TRUTH], "compensated", "pool_halted"),
        *("ask debit, ask reverse" + ", lookup reverse" * 6, 2, "failed"),
        "operator_debited compensation_pending compensated",
    ),
    Scenario(
        "compensation rejected: manual review",
        *([TRUTH], HALTS_ITSELF, [declined], "manual_review", "reverse_rejected"),
        *("ask debit, ask reverse", 1, "failed", "operator_debited compensation_pending manual_review"),
    ),
    Scenario(
        "compensation unknown at the cap: manual review, never a new key",
        *([TRUTH], HALTS_ITSELF, [lost_after, server_error], "manual_review", "reverse_unknown"),
        *("ask debit, ask reverse, lookup reverse, lookup reverse, lookup reverse", 1, "failed"),
        "operator_debited compensation_pending manual_review",
    ),
]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.case)
def test_order_ends_as_openpoly_says(scenario: Scenario, desk: Desk) -> None:
    Gateway.objects.update(**scenario.gateway)
    desk.wallet.legs = {"debit": list(scenario.debit), "reverse": list(scenario.reverse)}
    if scenario.venue == HALTED:
        desk.wallet.legs["debit"].insert(0, _confirm_while_staff_halts_the_pool)
    order = desk.order("100.00", user="magic-halt.alice" if scenario.venue == HALTS_ITSELF else "alice")
    at_acceptance = books.balances()
    desk.drive(passes=15)

    order = reloaded(order)
    assert (order.state, order.status_reason) == (scenario.ends_in, scenario.reason)
    assert ", ".join(f"{kind} {key.split(':')[1]}" for kind, key in desk.wallet.calls) == scenario.calls
    assert {key for _, key in desk.wallet.calls} <= {f"{order.reference}:{leg}:v1" for leg in ("debit", "reverse")}
    assert books.moved(order.reference).total() == scenario.postings
    assert trade_of(order).state == scenario.trade
    assert books.topics(order.reference) == [*_PENDING, *(f"order.{status}" for status in scenario.webhooks.split())]
    assert books.path(order.reference) == [topic.removeprefix("order.") for topic in books.topics(order.reference)], (
        "one event for each move"
    )
    if scenario.ends_in == "manual_review":
        assert open_case(order).reason == scenario.reason
    if scenario.reason == "debit_unknown":
        assert books.balances() == at_acceptance
    _assert_whole(desk, order.reference, ended=order.terminal)


def _confirm_while_staff_halts_the_pool(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
    from tests.orders.wallet import true_state

    with db_transaction.atomic():
        pool = Pool.objects.get(code="EUR-USDT")
        halt_pool(pool=pool, reason="test", actor="user:lead", now=RemoteOperation.objects.get().created_at)
    return true_state(wallet, kind, request)


def _assert_whole(desk: Desk, reference: str, *, ended: bool) -> None:
    """Per asset all sums to zero; what is in transit and owed to us is what the wallet lost; an end leaves no hold."""
    standing = books.balances()
    for asset in {asset for _, asset in standing}:
        columns = [row for (_, of), row in standing.items() if of == asset]
        assert sum(row[0] for row in columns) == sum(row[1] for row in columns)
        assert sum(row[2] for row in columns) == sum(row[3] for row in columns)
    due = standing["operators:acme:due", "EUR"]
    booked = {
        "confirmed debit": f"{reference}:debit:v1" in desk.wallet.applied and books.moved(reference).total() > 0,
        "confirmed reverse": reloaded_state(reference) == "compensated",
    }
    assert due[0] - due[1] == 10_000 * (booked["confirmed debit"] - booked["confirmed reverse"])
    if ended:
        transit = standing["transit:orders:acme", "EUR"]
        assert (transit[0] - transit[1], transit[2], transit[3]) == (0, 0, 0)
        assert not Hold.objects.filter(state="open").exists()


def reloaded_state(reference: str) -> str:
    return books.path(reference)[-1]


def test_webhooks_carry_what_an_operator_may_know_and_nothing_else(desk: Desk) -> None:
    desk.wallet.script = [lost_before]
    order = desk.order()
    desk.drive(passes=12)
    last = Event.objects.filter(aggregate=order.reference).order_by("-sequence")[0]
    assert last.public
    assert last.payload == {
        "order_id": order.reference,
        "partner_order_id": order.partner_order_id,
        "user_reference": "alice",
        "quote_id": order.quote_reference,
        "pool_id": "EUR-USDT",
        "status": "manual_review",
        "status_reason": "debit_unknown",
        "terminal": False,
        "source_asset": "EUR",
        "source_amount": "100.00",
        "target_asset": "USDT",
        "target_amount": last.payload["target_amount"],
        "sequence": 4,
    }
    case = open_case(order)
    internal = Event.objects.filter(aggregate=case.reference)
    assert [event.public for event in internal] == [False]


def test_order_fails_and_nothing_is_asked_when_the_gateway_is_paused_beyond_execute_by(desk: Desk) -> None:
    before = books.balances()
    Gateway.objects.update(paused_until=desk.clock.now() + timedelta(days=1), paused_reason="maintenance")
    order = desk.order()
    desk.drive(passes=29)
    assert reloaded(order).state == "operator_debit_pending"
    desk.drive(passes=3)
    order = reloaded(order)
    assert (order.state, order.status_reason) == ("failed", "debit_not_asked")
    assert desk.wallet.calls == []
    assert trade_of(order).state == "released"
    assert RemoteOperation.objects.get(owner=order.reference).state == "withdrawn"
    after = books.balances()
    assert {place: after[place] for place in before} == before
    _assert_whole(desk, order.reference, ended=True)


def test_order_goes_on_when_the_pause_ends_before_execute_by(desk: Desk) -> None:
    Gateway.objects.update(paused_until=desk.clock.now() + timedelta(minutes=10), paused_reason="maintenance")
    order = desk.order()
    desk.drive(passes=20)
    assert desk.wallet.calls == []
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    assert desk.wallet.calls == [("ask", f"{order.reference}:debit:v1")]


def test_debit_that_was_asked_is_looked_up_though_the_gateway_is_paused(desk: Desk) -> None:
    desk.wallet.script = [lost_after, server_error, TRUTH]
    order = desk.order()
    desk.drive(passes=2)
    Gateway.objects.update(paused_until=desk.clock.now() + timedelta(days=1), paused_reason="maintenance")
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"


def test_absent_debit_goes_to_people_when_the_gateway_resubmits_but_execute_by_has_passed(desk: Desk) -> None:
    Gateway.objects.update(resubmit=True, execute_within_ms=20_000, **_SHORT_HORIZON)
    desk.wallet.script = [lost_before, TRUTH]
    order = desk.order()
    desk.drive(passes=12)
    assert (reloaded(order).state, reloaded(order).status_reason) == ("manual_review", "debit_unknown")
    assert [kind for kind, _ in desk.wallet.calls] == ["ask", "lookup", "lookup", "lookup"]
    assert RemoteOperation.objects.get(owner=order.reference).state == "absent"


def test_order_fails_and_nothing_is_asked_when_its_pool_is_halted_before_the_debit(desk: Desk) -> None:
    order = desk.order()
    with db_transaction.atomic():
        halt_pool(pool=Pool.objects.get(code="EUR-USDT"), reason="test", actor="user:lead", now=desk.clock.now())
    desk.drive(passes=3)
    order = reloaded(order)
    assert (order.state, order.status_reason) == ("failed", "pool_halted")
    assert trade_of(order).state == "failed"
    assert desk.wallet.calls == []
    _assert_whole(desk, order.reference, ended=True)


def test_lookups_go_on_more_slowly_while_a_case_is_open_and_move_no_money(desk: Desk) -> None:
    """They are evidence: the debit is found, and the order stays where it is until a person says so."""
    desk.wallet.script = [lost_after, *[server_error] * 6, TRUTH]
    order = desk.order()
    desk.drive(passes=12)
    at_review = books.balances()
    assert len(desk.wallet.calls) == 4
    desk.drive(passes=48, pause=timedelta(minutes=5))
    assert [kind for kind, _ in desk.wallet.calls] == ["ask", *["lookup"] * 7], "after 10, 20, 40 and 80 minutes"
    assert RemoteOperation.objects.get(owner=order.reference).state == "confirmed"
    assert reloaded(order).state == "manual_review"
    assert books.balances() == at_review


def test_order_is_worth_its_quote_in_a_pool_of_another_asset(desk: Desk) -> None:
    quote = desk.quote("100.00", pool="USD-ETH")
    order = desk.submit(quote)
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    net = 10_000 - 70 - 13
    converted = net * 10_850 // 10_000
    assert (int(quote.cash_minor), quote.cash_asset) == (converted, "USD")
    standing = books.balances()
    assert standing["fx:EUR", "EUR"] == (0, net, 0, 0)
    assert standing["fx:USD", "USD"] == (converted, 0, 0, 0)
    assert standing["positions:acme:alice", "ETH"] == (0, int(quote.target_minor), 0, 0)
    assert standing["revenue:orders", "EUR"] == (0, 70, 0, 0)
    assert standing["liabilities:vat", "EUR"] == (0, 13, 0, 0)
    assert books.moved(order.reference).total() == 6
