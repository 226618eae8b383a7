"""A venue says what became of a trade: 0Pools' webhook handler pattern, forward only; a conflict with our end freezes."""

import json
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction
from django.test import Client

from ledger.controls import clock, drains
from ledger.models import Move, Transaction
from orders import venue_provider
from orders.models import Freeze, Order, Return, SagaRun, Trade, Venue
from orders.operations.freeze_order import freeze_order, lift_freeze
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.lanes import Lanes, open_lanes, trades_of
from tests.orders.test_outside_venue import refusing
from tests.orders.test_returns import decide
from tests.orders.wallet import declined, lost_after, pending, server_error
from wallets.gateway_port import RemoteRequest
from wallets.models import RemoteOperation
from webhooks import providers, signatures
from webhooks.models import InboundEvent

pytestmark = pytest.mark.usefixtures("database")


@dataclass
class Telling:
    """The venues' servers, sending."""

    desk: Desk
    count: int = 0

    def tell(self, status: str, *, venue: str = "north", **subjects: str) -> tuple[str, str]:
        """Send one event, have it judged, and return its state and reason."""
        self.count += 1
        code = venue_provider.code_of(Venue.objects.get(code=venue))
        with db_transaction.atomic():
            secret = providers.newest_secret(code, now=clock.now())
        body = json.dumps({"type": f"trade.{status}", "data": subjects}).encode()
        headers = signatures.headers(
            secrets=[secret], message_id=f"ve-{self.count}", timestamp=int(clock.now().timestamp()), body=body
        )
        repeated = InboundEvent.objects.filter(provider_event_id=f"ve-{self.count}").exists()
        answer = Client().post(f"/v1/inbox/{code}", body, content_type="application/json", headers=headers)
        assert answer.status_code == (200 if repeated else 202), answer.content
        drains.drain("inbox")
        return self.judged()

    def judged(self) -> tuple[str, str]:
        row = InboundEvent.objects.get(provider_event_id=f"ve-{self.count}")
        return row.state, row.reason


@pytest.fixture
def lanes(desk: Desk) -> Lanes:
    return open_lanes(desk)


@pytest.fixture
def telling(desk: Desk) -> Telling:
    return Telling(desk)


def everything() -> list[object]:
    return [
        list(Order.objects.values()),
        list(Trade.objects.values()),
        list(RemoteOperation.objects.values()),
        Transaction.objects.count(),
        Move.objects.exclude(machine="inbound_event").count(),
        list(SagaRun.objects.values()),
        Freeze.objects.count(),
        Return.objects.count(),
    ]


def settled(desk: Desk, lanes: Lanes) -> Trade:
    order = lanes.order()
    desk.drive(passes=1, pause=timedelta(seconds=1))
    assert reloaded(order).state == "processed"
    return trades_of(order)[0]


def failed(desk: Desk, lanes: Lanes) -> Trade:
    desk.wallet.legs = {"execute": [declined]}
    order = lanes.order(reserves=False)
    desk.drive(passes=2, pause=timedelta(seconds=1))
    assert reloaded(order).state == "compensated"
    return trades_of(order)[0]


def executing(desk: Desk, lanes: Lanes) -> Trade:
    """A trade whose execution was answered *pending* and is really applied; its next lookup is ten seconds away."""
    desk.wallet.legs = {"execute": [pending, None]}
    order = lanes.order()
    drains.drain("sagas")
    assert reloaded(order).state == "operator_debited"
    return trades_of(order)[0]


@pytest.mark.parametrize("named_by", ["transact_id", "quote_id"])
def test_news_of_a_reserved_trade_makes_the_saga_look_up_at_once(
    named_by: str, desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    """3. Load the trade/order by quote or transact id."""
    trade = executing(desk, lanes)
    subject = trade.reference if named_by == "transact_id" else trade.quote_reference
    state, reason = telling.tell("settled", **{named_by: subject})
    assert (state, reason.partition(" ")[0]) == ("applied", trade.order_reference)
    drains.drain("sagas")
    assert Order.objects.get().state == "processed"
    assert desk.wallet.calls[-1] == ("lookup", f"{trade.reference}:execute:v1")


def test_a_venues_word_is_never_taken_for_the_truth(desk: Desk, lanes: Lanes, telling: Telling) -> None:
    """It says settled; our own lookup says: still working."""
    desk.wallet.legs = {"execute": [pending]}
    lanes.order()
    drains.drain("sagas")
    trade = Trade.objects.get()
    assert telling.tell("settled", transact_id=trade.reference)[0] == "applied"
    drains.drain("sagas")
    assert (Order.objects.get().state, Trade.objects.get().state) == ("operator_debited", "reserved")


def test_released_reservation_is_tried_once_more_when_the_venue_tells(
    desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    desk.wallet.legs = {"execute": [pending, refusing("released"), None]}
    order = lanes.order()
    drains.drain("sagas")
    trade = trades_of(order)[0]
    assert telling.tell("released", transact_id=trade.reference)[0] == "applied"
    drains.drain("sagas")
    assert reloaded(order).state == "processed"
    assert [one.state for one in trades_of(order)] == ["released", "settled"]


@pytest.mark.parametrize("status", ["reserved", "settled"])
def test_stale_and_repeated_news_of_a_settled_trade_changes_nothing(
    status: str, desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    trade = settled(desk, lanes)
    before = everything()
    assert telling.tell(status, transact_id=trade.reference) == (
        "ignored",
        f"{trade.reference} is settled; {status} says nothing new",
    )
    assert everything() == before


@pytest.mark.parametrize("status", ["reserved", "failed", "released"])
def test_stale_and_repeated_news_of_a_failed_trade_changes_nothing(
    status: str, desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    trade = failed(desk, lanes)
    before = everything()
    assert telling.tell(status, venue="south", transact_id=trade.reference)[0] == "ignored"
    assert everything() == before


def test_returned_after_settled_opens_a_return_with_its_case_and_moves_no_money(
    desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    """Returned: reverse/review completed entry. People decide; the trade is settled until they say that it is so."""
    from tests.orders.test_returns import decide

    trade = settled(desk, lanes)
    transactions = Transaction.objects.count()
    assert telling.tell("returned", transact_id=trade.reference)[0] == "applied"
    found = Return.objects.get()
    assert (found.kind, found.trade_reference, Transaction.objects.count()) == (
        "trade_returned",
        trade.reference,
        transactions,
    )
    assert open_case(Order(reference=found.reference)).reason == "trade_returned"
    assert telling.tell("returned", transact_id=trade.reference) == (
        "ignored",
        f"{trade.reference} has a return already",
    )
    assert Trade.objects.get().state == "settled"
    assert decide(found.reference, "adjust")
    assert Trade.objects.get().state == "returned"


def test_adjusted_return_turns_every_line_round_at_the_clearing_accounts(
    desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    from tests.orders import books
    from tests.orders.test_returns import decide

    trade = settled(desk, lanes)
    telling.tell("returned", transact_id=trade.reference)
    found = Return.objects.get()
    assert decide(found.reference, "adjust")
    standing = books.balances()
    for asset in ("EUR", "USDT"):
        row = standing["venues:north:clearing", asset]
        assert row[0] == row[1], asset
    assert Trade.objects.get().state == "returned"


@pytest.mark.parametrize("status", ["failed", "released"])
def test_order_is_frozen_when_the_venue_contradicts_a_settled_trade(
    status: str, desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    trade = settled(desk, lanes)
    state, reason = telling.tell(status, transact_id=trade.reference)
    assert (state, reason) == (
        "applied",
        f"terminal state conflict: {trade.order_reference} is frozen; {trade.reference} stays settled",
    )
    freeze = Freeze.objects.get(lifted_at__isnull=True)
    assert freeze.subject == trade.order_reference
    assert freeze.reason == f"terminal state conflict: {trade.reference} is settled, its venue says {status}"
    assert (Trade.objects.get().state, Order.objects.get().state) == ("settled", "processed"), "nothing is overwritten"


@pytest.mark.parametrize("status", ["settled", "returned"])
def test_order_is_frozen_when_the_venue_contradicts_a_failed_trade(
    status: str, desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    trade = failed(desk, lanes)
    telling.tell(status, venue="south", transact_id=trade.reference)
    assert (
        Freeze.objects.get().reason == f"terminal state conflict: {trade.reference} is failed, its venue says {status}"
    )
    assert (Trade.objects.get().state, Order.objects.get().state) == ("failed", "compensated")


def test_news_before_our_own_commit_is_parked_and_applied_after_it(desk: Desk, lanes: Lanes, telling: Telling) -> None:
    quote = lanes.quote()
    assert telling.tell("settled", quote_id=quote.reference) == ("parked", f"{quote.reference} is not here (yet)")
    desk.wallet.legs = {"execute": [lost_after, None]}
    desk.submit(quote)
    drains.drain("sagas")
    desk.later(seconds=3)
    drains.drain("inbox")
    assert telling.judged()[0] == "applied"


def test_returned_before_it_is_settled_here_is_parked(desk: Desk, lanes: Lanes, telling: Telling) -> None:
    trade = executing(desk, lanes)
    assert telling.tell("returned", transact_id=trade.reference) == (
        "parked",
        f"{trade.reference} is not settled here yet",
    )
    desk.later(seconds=11)
    drains.drain("sagas")
    desk.later(minutes=2)
    drains.drain("inbox")
    assert telling.judged()[0] == "applied"
    assert Return.objects.get().trade_reference == trade.reference


def test_news_of_a_frozen_order_is_parked_until_it_is_lifted(desk: Desk, lanes: Lanes, telling: Telling) -> None:
    trade = executing(desk, lanes)
    with db_transaction.atomic():
        freeze_order(order_reference=trade.order_reference, reason="look", actor="user:lea", now=clock.now())
    assert telling.tell("settled", transact_id=trade.reference) == ("parked", f"{trade.order_reference} is frozen")
    with db_transaction.atomic():
        lift_freeze(order_reference=trade.order_reference, actor="user:lea", now=clock.now())
    desk.later(minutes=2)
    drains.drain("inbox")
    assert telling.judged()[0] == "applied"


def test_another_venue_knows_nothing_of_a_trade(desk: Desk, lanes: Lanes, telling: Telling) -> None:
    trade = settled(desk, lanes)
    before = everything()
    assert telling.tell("failed", venue="south", transact_id=trade.reference)[0] == "parked"
    assert everything() == before


def test_trade_of_a_built_in_pool_is_no_venues(desk: Desk, lanes: Lanes, telling: Telling) -> None:
    order = desk.order()
    desk.drive(passes=1, pause=timedelta(seconds=1))
    before = everything()
    assert telling.tell("failed", transact_id=trades_of(order)[0].reference)[0] == "parked"
    assert everything() == before


def test_news_that_names_nothing_is_ignored(desk: Desk, lanes: Lanes, telling: Telling) -> None:
    assert telling.tell("settled") == ("ignored", "it names no trade and no quote")


def test_returned_before_the_operator_is_credited_freezes_the_order_once_and_waits(
    desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    """People see it before the operator is paid for a trade that its venue took back, however long they take."""
    lanes.holding()
    desk.wallet.legs = {"credit": [lost_after, server_error, server_error, server_error, server_error, None]}
    order = lanes.order(side="sell", amount="50.000000")
    while reloaded(order).state != "manual_review":
        desk.drive(passes=1, pause=timedelta(seconds=2))
    (trade,) = trades_of(order)
    assert trade.state == "settled"
    assert telling.tell("returned", transact_id=trade.reference) == (
        "parked",
        f"{order.reference} has not ended: its return is opened then",
    )
    freeze = Freeze.objects.get(lifted_at__isnull=True)
    assert freeze.reason == f"its venue took {trade.reference} back before the order ended"
    for _ in range(40):
        desk.later(minutes=11)
        drains.drain("inbox")
    assert telling.judged() == ("parked", f"{order.reference} is frozen")
    with db_transaction.atomic():
        lift_freeze(order_reference=order.reference, actor="user:lead", now=clock.now())
    desk.later(minutes=2)
    drains.drain("inbox")
    assert not Freeze.objects.filter(lifted_at__isnull=True).exists(), "who lifted it has seen it"
    desk.wallet.legs = {}
    desk.later(hours=2)
    desk.drive(passes=3)
    assert decide(order.reference, "credit_proven")
    assert reloaded(order).state == "processed"
    desk.later(minutes=2)
    drains.drain("inbox")
    assert telling.judged()[0] == "applied"
    assert Return.objects.get().trade_reference == trade.reference


def test_returned_while_the_trade_is_under_review_waits_as_long_as_that_takes(
    desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    desk.wallet.legs = {"execute": [lost_after, server_error, server_error, server_error, None]}
    order = lanes.order()
    while reloaded(order).state != "manual_review":
        desk.drive(passes=1, pause=timedelta(seconds=2))
    (trade,) = trades_of(order)
    assert telling.tell("returned", transact_id=trade.reference)[0] == "parked"
    for _ in range(40):
        desk.later(minutes=11)
        drains.drain("inbox")
    assert telling.judged() == ("parked", f"{trade.reference} is not settled here yet")
    desk.drive(passes=2)
    assert decide(order.reference, "trade_proven")
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    desk.later(minutes=2)
    drains.drain("inbox")
    assert (telling.judged()[0], Return.objects.get().trade_reference) == ("applied", trade.reference)


def test_what_a_venue_declined_and_calls_settled_is_looked_at_again_and_is_a_return(
    desk: Desk, lanes: Lanes, telling: Telling
) -> None:
    trade = failed(desk, lanes)
    key = f"{trade.reference}:execute:v1"
    drains.drain("relay")
    desk.wallet.refused.pop(key)
    desk.wallet.applied[key] = RemoteRequest(key, "execute", "EUR", 1, "", "", "")
    desk.wallet.legs = {}
    telling.tell("settled", venue="south", transact_id=trade.reference)
    drains.drain("sagas")
    assert desk.wallet.calls[-1] == ("lookup", key)
    assert RemoteOperation.objects.get(key=key).state == "rejected", "what is terminal stays"
    drains.drain("relay")
    found = Return.objects.get()
    assert (found.kind, found.leg, found.operation_key) == ("late_effect", "execute", key)


def test_what_a_venue_declined_and_denies_again_is_nothing(desk: Desk, lanes: Lanes, telling: Telling) -> None:
    trade = failed(desk, lanes)
    telling.tell("settled", venue="south", transact_id=trade.reference)
    drains.drain("sagas")
    drains.drain("relay")
    assert desk.wallet.calls[-1] == ("lookup", f"{trade.reference}:execute:v1")
    assert not Return.objects.exists()
