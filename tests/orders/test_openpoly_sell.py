"""OpenPoly's sell flow, its credit failures and the manual review rule: one row per sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.models import Event, Hold
from orders.models import Order, Pool, Quote
from orders.operations.halt_pool import halt_pool
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.wallet import (
    Step,
    contradictory,
    declined,
    lost_after,
    lost_before,
    pending,
    server_error,
    unreadable,
)
from wallets.models import Gateway, RemoteOperation

pytestmark = pytest.mark.usefixtures("database")

FILLS, HALTED = "fills", "halted after acceptance"
TRUTH = None
"""The wallet does what it is asked, and says so."""


@dataclass(frozen=True)
class Scenario:
    case: str
    credit: Sequence[Step | None]
    venue: str
    ends_in: str
    reason: str
    calls: str
    postings: int
    """Those that moved money in the end."""
    trade: str
    webhooks: str
    """Topics of the order's events after its first two."""
    gateway: Mapping[str, object] = field(default_factory=dict)


_TAKEN_UP = ["order.queued", "order.processing"]
_LONG_HORIZON = {"not_found_horizon_ms": 86_400_000}
_SHORT_HORIZON = {"not_found_horizon_ms": 20_000}
_THREE_LOOKUPS = "ask credit, lookup credit, lookup credit, lookup credit"
_CREDITED = "operator_credit_pending processed"
_STOPPED = "operator_credit_pending manual_review"

SCENARIOS = [
    #        case                      credit answers    venue    ends in    reason    wallet calls   postings
    Scenario(
        "3-5: internal state settled, operator wallet credited, success webhook event",
        *([TRUTH], FILLS, "processed", "", "ask credit", 5, "settled", _CREDITED),
    ),
    Scenario(
        "5: failure webhook event, when nothing moved",
        *([], HALTED, "failed", "pool_halted", "", 0, "failed", "failed"),
    ),
    Scenario(
        "credit failed: the payout-side record moves to manual review",
        *([declined], FILLS, "manual_review", "credit_rejected", "ask credit", 4, "settled", _STOPPED),
    ),
    Scenario(
        "credit failed, as a lookup says after a timeout",
        *([lost_before, declined], FILLS, "manual_review", "credit_rejected"),
        *("ask credit, lookup credit", 4, "settled", _STOPPED),
    ),
    Scenario(
        "confirm remote state through lookup first: found, the order goes on",
        *([lost_after, TRUTH], FILLS, "processed", "", "ask credit, lookup credit", 5, "settled", _CREDITED),
    ),
    Scenario(
        "an answer about another amount is no answer: the lookup decides",
        *([contradictory, TRUTH], FILLS, "processed", "", "ask credit, lookup credit", 5, "settled", _CREDITED),
    ),
    Scenario(
        "an answer that cannot be read is no answer: the lookup decides",
        *([unreadable, TRUTH], FILLS, "processed", "", "ask credit, lookup credit", 5, "settled", _CREDITED),
    ),
    Scenario(
        "credit unknown: manual review, never blindly re-credited with a new idempotency key",
        *([lost_after, server_error], FILLS, "manual_review", "credit_unknown", _THREE_LOOKUPS, 4, "settled", _STOPPED),
    ),
    Scenario(
        "credit unknown: not found before the horizon proves nothing",
        *([lost_before, TRUTH], FILLS, "manual_review", "credit_unknown", _THREE_LOOKUPS, 4, "settled", _STOPPED),
        _LONG_HORIZON,
    ),
    Scenario(
        "credit unknown: not found after the horizon is for people to decide",
        *([lost_before, TRUTH], FILLS, "manual_review", "credit_unknown", _THREE_LOOKUPS, 4, "settled", _STOPPED),
        _SHORT_HORIZON,
    ),
    Scenario(
        "proven absent at a gateway that resubmits: asked again, with the same key",
        *([lost_before, TRUTH], FILLS, "processed", "", "ask credit, lookup credit, ask credit", 5, "settled"),
        *(_CREDITED, {**_SHORT_HORIZON, "resubmit": True}),
    ),
    Scenario(
        "accepted, still working: looked up slowly and not counted before the pending horizon",
        *([*[pending] * 8, TRUTH], FILLS, "processed", "", "ask credit" + ", lookup credit" * 8, 5, "settled"),
        _CREDITED,
    ),
]


def _halt(desk: Desk) -> None:
    with db_transaction.atomic():
        halt_pool(pool=Pool.objects.get(code="EUR-USDT"), reason="test", actor="user:lead", now=desk.clock.now())


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.case)
def test_sell_ends_as_openpoly_says(scenario: Scenario, desk: Desk) -> None:
    bought = desk.holding()
    before = books.balances()
    Gateway.objects.update(**scenario.gateway)
    desk.wallet.legs = {"credit": list(scenario.credit)}
    order = desk.sell("50.00")
    if scenario.venue == HALTED:
        _halt(desk)
    desk.drive(passes=15)

    order = reloaded(order)
    assert (order.state, order.status_reason) == (scenario.ends_in, scenario.reason)
    assert ", ".join(f"{kind} {key.split(':')[1]}" for kind, key in desk.wallet.calls) == scenario.calls
    assert {key for _, key in desk.wallet.calls} <= {f"{order.reference}:credit:v1"}
    assert books.moved(order.reference).total() == scenario.postings
    assert trade_of(order).state == scenario.trade
    assert books.topics(order.reference) == [*_TAKEN_UP, *(f"order.{status}" for status in scenario.webhooks.split())]
    assert books.path(order.reference) == [topic.removeprefix("order.") for topic in books.topics(order.reference)], (
        "one event for each move"
    )
    after = books.balances()
    if scenario.ends_in == "manual_review":
        case = open_case(order)
        assert (case.reason, case.asset, case.amount_minor) == (scenario.reason, "EUR", order.target_minor)
    if scenario.ends_in == "failed":
        assert after == before
    else:
        assert after["positions:acme:alice", "USDT"] == (50_000_000, int(bought.target_minor), 0, 0)
    _assert_whole(order)


def _assert_whole(order: Order) -> None:
    """Per asset all sums to zero; the payout is in transit until the credit is booked; no hold is left."""
    standing = books.balances()
    for asset in {asset for _, asset in standing}:
        columns = [row for (_, of), row in standing.items() if of == asset]
        assert sum(row[0] for row in columns) == sum(row[1] for row in columns)
        assert sum(row[2] for row in columns) == sum(row[3] for row in columns)
    transit = standing["transit:orders:acme", "EUR"]
    payout = int(order.target_minor)
    assert transit[1] - transit[0] == (payout if order.state == "manual_review" else 0)
    due = standing["operators:acme:due", "EUR"]
    assert due[0] - due[1] == 10_000 - (payout if order.state == "processed" else 0)
    assert not Hold.objects.filter(state="open").exists()


def test_quote_fixes_proceeds_in_credits_and_the_external_payout_amount(desk: Desk) -> None:
    """1 and 2: the pool's cash output, rounded down, is the proceeds; less fees they are the payout amount."""
    quote = desk.sell_quote("50.00")
    proceeds = 1_000_000_000 * 50_000_000 // (10_850_000_000_000 + 50_000_000)
    fee = 20 + (proceeds * 50 + 5_000) // 10_000
    vat = (fee * 1_900 + 5_000) // 10_000
    assert (int(quote.source_minor), quote.source_asset) == (50_000_000, "USDT")
    assert (int(quote.cash_minor), quote.cash_asset) == (proceeds, "EUR")
    assert (int(quote.fee_minor), int(quote.vat_minor)) == (fee, vat)
    assert (int(quote.target_minor), quote.target_asset) == (proceeds - fee - vat, "EUR")
    assert quote.fx_rate is None
    assert quote.expires_at == desk.clock.now() + timedelta(seconds=30)


def test_sell_is_worth_its_quote_in_a_pool_of_another_asset(desk: Desk) -> None:
    bought = desk.holding("1000.00", pool="USD-ETH")
    before = books.balances()
    quote = desk.sell_quote("0.2", pool="USD-ETH", asset="ETH")
    order = desk.submit(quote)
    desk.drive(passes=1)
    assert reloaded(order).state == "processed"
    after = books.balances()
    proceeds = int(quote.cash_minor)
    gross = proceeds * 9_200 // 10_000
    assert (quote.cash_asset, quote.target_asset, str(quote.fx_rate.normalize())) == ("USD", "EUR", "0.92")  # type: ignore[union-attr]  # it has one
    assert int(quote.target_minor + quote.fee_minor + quote.vat_minor) == gross
    assert _change(before, after, "fx:USD", "USD") == proceeds
    assert _change(before, after, "fx:EUR", "EUR") == -gross
    assert _change(before, after, "pools:USD-ETH", "USD") == -proceeds
    assert _change(before, after, "pools:USD-ETH", "ETH") == 2 * 10**17
    assert _change(before, after, "revenue:orders", "EUR") == int(quote.fee_minor)
    assert _change(before, after, "liabilities:vat", "EUR") == int(quote.vat_minor)
    assert _change(before, after, "operators:acme:due", "EUR") == int(quote.target_minor)
    assert after["positions:acme:alice", "ETH"] == (2 * 10**17, int(bought.target_minor), 0, 0)
    assert books.moved(order.reference).total() == 6


def _change(
    before: Mapping[tuple[str, str], tuple[int, ...]],
    after: Mapping[tuple[str, str], tuple[int, ...]],
    address: str,
    asset: str,
) -> int:
    """Return by how much an account was credited, net."""
    was, stands = before.get((address, asset), (0, 0, 0, 0)), after[address, asset]
    return (stands[1] - stands[0]) - (was[1] - was[0])


def test_webhooks_of_a_sell_carry_what_an_operator_may_know_and_nothing_else(desk: Desk) -> None:
    desk.holding()
    desk.wallet.legs = {"credit": [lost_before]}
    order = desk.sell()
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
        "status_reason": "credit_unknown",
        "terminal": False,
        "source_asset": "USDT",
        "source_amount": "50.000000",
        "target_asset": "EUR",
        "target_amount": last.payload["target_amount"],
        "sequence": 4,
    }


def test_sell_fails_and_nothing_moves_when_the_gateway_is_paused_beyond_execute_by(desk: Desk) -> None:
    desk.holding()
    before = books.balances()
    Gateway.objects.update(paused_until=desk.clock.now() + timedelta(days=1), paused_reason="maintenance")
    order = desk.sell()
    desk.drive(passes=29)
    assert reloaded(order).state == "processing"
    desk.drive(passes=3)
    order = reloaded(order)
    assert (order.state, order.status_reason) == ("failed", "not_executed")
    assert trade_of(order).state == "released"
    assert desk.wallet.calls == []
    assert RemoteOperation.objects.filter(owner=order.reference).count() == 0
    assert books.balances() == before


def test_sell_goes_on_when_the_pause_ends_before_execute_by(desk: Desk) -> None:
    desk.holding()
    Gateway.objects.update(paused_until=desk.clock.now() + timedelta(minutes=5), paused_reason="maintenance")
    order = desk.sell()
    desk.drive(passes=10)
    assert desk.wallet.calls == []
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    assert desk.wallet.calls == [("ask", f"{order.reference}:credit:v1")]


def test_credit_waits_for_as_long_as_the_gateway_is_paused_once_our_books_are_settled(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing fails any more: the payout stays in transit, its key prepared, until the gateway may be asked."""
    from orders import transitions

    desk.holding()
    request_credit = transitions.request_credit

    def then_paused(order: Order, **given: object) -> None:
        request_credit(order, **given)  # type: ignore[arg-type]  # passed on as it came
        Gateway.objects.update(paused_until=desk.clock.now() + timedelta(hours=2), paused_reason="maintenance")

    monkeypatch.setattr(transitions, "request_credit", then_paused)
    order = desk.sell()
    desk.drive(passes=60, pause=timedelta(minutes=1))
    assert reloaded(order).state == "operator_credit_pending"
    assert RemoteOperation.objects.get(owner=order.reference).state == "prepared"
    assert desk.wallet.calls == []
    desk.drive(passes=65, pause=timedelta(minutes=1))
    assert reloaded(order).state == "processed"


def test_lookups_go_on_while_a_credit_is_under_review_and_move_no_money(desk: Desk) -> None:
    desk.holding()
    desk.wallet.legs = {"credit": [lost_after, *[server_error] * 5, TRUTH]}
    order = desk.sell()
    desk.drive(passes=12)
    at_review = books.balances()
    desk.drive(passes=48, pause=timedelta(minutes=5))
    assert [kind for kind, _ in desk.wallet.calls] == ["ask", *["lookup"] * 6]
    assert RemoteOperation.objects.get(owner=order.reference).state == "confirmed"
    assert reloaded(order).state == "manual_review"
    assert books.balances() == at_review


def test_buy_and_sell_of_the_same_amount_leave_the_pool_no_poorer(desk: Desk) -> None:
    before = books.balances()
    bought = desk.holding("2500.00")
    quote: Quote = desk.sell_quote(_text(int(bought.target_minor)))
    desk.submit(quote)
    desk.drive(passes=1)
    after = books.balances()
    assert _change(before, after, "pools:EUR-USDT", "USDT") == 0
    assert _change(before, after, "pools:EUR-USDT", "EUR") >= 0
    assert after["positions:acme:alice", "USDT"][0] == after["positions:acme:alice", "USDT"][1]


def _text(minor: int) -> str:
    return f"{minor // 10**6}.{minor % 10**6:06}"
