"""A venue over HTTP, played by the sandbox: quote, reserve, execute, release, lookup, events; each fault as documented."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock, drains
from ledger.controls.rest.caller import Caller
from ledger.models import Event
from orders import venue_lanes, venue_provider
from orders.models import Order, Quote, Return, Venue
from orders.operations import ask_price
from orders.operations.create_quote import create_quote
from orders.sandbox import faults
from orders.venue_port import Offer, PoolUnavailable, PriceNotOffered
from tests.orders import books
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.lanes import trades_of
from tests.orders.test_outside_venue import assert_over
from tests.orders.test_returns import decide
from tests.venue_in_process import VenueTransport
from wallets.models import Breaker, Gateway, RemoteAttempt, RemoteOperation
from webhooks import outbound, providers
from webhooks.models import InboundEvent

pytestmark = pytest.mark.usefixtures("database")

SECRET = "whsec_dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2dnZ2"


@pytest.fixture
def venue(desk: Desk) -> Iterator[VenueTransport]:
    """Two venues on one sandbox: north can reserve, south cannot. Questions are signed; events go to the inbox."""
    transport = VenueTransport(desk.clock)
    for code, reserves in (("north", True), ("south", False)):
        lane = venue_lanes.Lane(code, reserves, f"EUR-USDT-{code}", "EUR", "USDT")
        with db_transaction.atomic():
            venue_lanes.open_lane(
                lane,
                environment="test",
                adapter="http_venue",
                base_url="http://venue.invalid",
                secret=SECRET,
                now=clock.now(),
            )
            provider = venue_provider.code_of(Venue.objects.get(code=code))
            secret = providers.newest_secret(provider, now=clock.now())
        with transport.store.transaction():
            transport.store.add_secret(SECRET, only=False)
            transport.store.set_inbox(lane.pool, f"http://us.invalid/v1/inbox/{provider}", secret)
    Gateway.objects.filter(channel__startswith="venue:").update(
        requery_backoff_ms=500, not_found_horizon_ms=30_000, pending_backoff_ms=2_000
    )
    with outbound.use(transport):
        yield transport


def quoted(desk: Desk, *, code: str = "north", side: str = "buy", amount: str = "100.00", user: str = "alice") -> Quote:
    def compute(offer: Offer | None) -> Quote:
        with db_transaction.atomic():
            return create_quote(
                caller=desk.caller,
                pool_code=f"EUR-USDT-{code}",
                side=side,
                source_asset="EUR" if side == "buy" else "USDT",
                source_amount=amount,
                user_reference=user,
                firm=True,
                now=clock.now(),
                offer=offer,
            )

    return ask_price.with_price(compute)


def ordered(desk: Desk, **terms: Any) -> Order:
    return desk.submit(quoted(desk, **terms))


def drive(desk: Desk, order: Order, *, seconds: int = 3, passes: int = 30) -> Order:
    """Drive until the order has ended or waits for people, and then a little more, for releases."""
    for _ in range(passes):
        drains.drain("sagas")
        desk.later(seconds=seconds)
        if reloaded(order).state in ("processed", "failed", "compensated", "manual_review"):
            break
    desk.drive(passes=3)
    return reloaded(order)


def test_order_is_quoted_reserved_and_executed_over_http(desk: Desk, venue: VenueTransport) -> None:
    quote = quoted(desk)
    assert quote.venue_quote_id == "vq_000001"
    assert int(quote.target_minor) == int(quote.cash_minor) * 10731  # 1.0731 USDT, at four more decimals
    order = desk.submit(quote)
    drive(desk, order)
    assert reloaded(order).state == "processed"
    assert venue.asked() == ["quotes priced", "reserve confirmed", "execute confirmed"]
    assert venue.trades() == ["settled"]
    assert_over(desk)
    trade = trades_of(order)[0]
    keys = list(RemoteOperation.objects.filter(owner=trade.reference).order_by("pk").values_list("key", flat=True))
    assert keys == [f"{trade.reference}:reserve:v1", f"{trade.reference}:execute:v1"]


def test_every_question_is_signed_and_an_unsigned_one_is_refused(desk: Desk, venue: VenueTransport) -> None:
    order = ordered(desk)
    drive(desk, order)
    assert {row["signature"] for row in venue.rows("requests")} == {"verified"}
    Gateway.objects.filter(channel="venue:south").update(secret="whsec_c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nz")
    with pytest.raises(PoolUnavailable):
        quoted(desk, code="south")
    assert venue.asked()[-1] == "quotes unauthorized"


WORDS = [
    # reserve
    ("north", "magic-reserve-declined.a", "failed", "trade_refused", []),
    ("north", "magic-reserve-price-moved.a", "failed", "price_moved", []),
    ("north", "magic-reserve-closed.a", "failed", "trade_refused", []),
    ("north", "magic-reserve-too-late.a", "failed", "trade_refused", []),
    ("north", "magic-reserve-timeout-after.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-error-after.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-garbled.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-other-amount.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-pending.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-reset.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-slow.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-other-key.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-pending-twice.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-pending-reordered.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-event-early.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-pending-declined.a", "failed", "trade_refused", []),
    ("north", "magic-reserve-pending-long.a", "processing", "", ["reserved"]),
    ("north", "magic-reserve-throttled.a", "failed", "trade_not_reserved", ["released"]),
    ("north", "magic-reserve-error-before.a", "failed", "trade_not_reserved", ["released"]),
    ("north", "magic-reserve-reset-before.a", "failed", "trade_not_reserved", ["released"]),
    ("north", "magic-reserve-not-found-for-a-while.a", "processed", "", ["settled"]),
    ("north", "magic-reserve-timeout-before.a", "failed", "trade_not_reserved", ["released"]),
    ("north", "magic-reserve-lost.a", "failed", "trade_not_reserved", ["released"]),
    ("north", "magic-reserve-other-amount-always.a", "failed", "trade_not_reserved", ["released"]),
    ("north", "magic-reserve-released.a", "processed", "", ["released", "settled"]),
    ("north", "magic-reserve-released-always.a", "compensated", "trade_refused", ["released", "released"]),
    # execute
    ("north", "magic-execute-declined.a", "compensated", "trade_refused", ["failed"]),
    ("south", "magic-execute-declined.a", "compensated", "trade_refused", ["failed"]),
    ("south", "magic-execute-price-moved.a", "compensated", "price_moved", ["failed"]),
    ("south", "magic-execute-closed.a", "compensated", "trade_refused", ["failed"]),
    ("south", "magic-execute-too-late.a", "compensated", "trade_refused", []),
    ("south", "magic-execute-slow.a", "processed", "", ["settled"]),
    ("south", "magic-execute-timeout-after.a", "processed", "", ["settled"]),
    ("south", "magic-execute-error-after.a", "processed", "", ["settled"]),
    ("south", "magic-execute-reset.a", "processed", "", ["settled"]),
    ("south", "magic-execute-garbled.a", "processed", "", ["settled"]),
    ("south", "magic-execute-other-amount.a", "processed", "", ["settled"]),
    ("south", "magic-execute-other-key.a", "processed", "", ["settled"]),
    ("south", "magic-execute-event-early.a", "processed", "", ["settled"]),
    ("south", "magic-execute-pending.a", "processed", "", ["settled"]),
    ("south", "magic-execute-pending-declined.a", "compensated", "trade_refused", ["failed"]),
    ("south", "magic-execute-pending-long.a", "operator_debited", "", ["settled"]),
    ("south", "magic-execute-pending-twice.a", "processed", "", ["settled"]),
    ("south", "magic-execute-pending-reordered.a", "processed", "", ["settled"]),
    ("south", "magic-execute-other-amount-always.a", "manual_review", "trade_unknown", ["settled"]),
    ("south", "magic-execute-timeout-before.a", "manual_review", "trade_unknown", []),
    ("south", "magic-execute-error-before.a", "manual_review", "trade_unknown", []),
    ("south", "magic-execute-reset-before.a", "manual_review", "trade_unknown", []),
    ("south", "magic-execute-throttled.a", "manual_review", "trade_unknown", []),
    ("south", "magic-execute-lost.a", "manual_review", "trade_unknown", []),
    # another counterparty's word is an ordinary user here
    ("south", "magic-execute-insufficient.a", "processed", "", ["settled"]),
]


@pytest.mark.parametrize(("code", "user", "ends_in", "reason", "trades"), WORDS, ids=lambda value: str(value)[:40])
def test_order_ends_as_its_magic_word_says(
    code: str, user: str, ends_in: str, reason: str, trades: list[str], desk: Desk, venue: VenueTransport
) -> None:
    order = drive(desk, ordered(desk, code=code, user=user))
    assert (order.state, order.status_reason) == (ends_in, reason)
    assert venue.trades() == trades
    asks = [row["key"] for row in venue.rows("requests") if row["method"] == "POST" and row["path"] == "/execute"]
    assert len(asks) == len(set(asks)), "a venue is asked once under a key"
    if order.terminal:
        assert_over(desk)
    if order.state == "processed":
        assert [trade.state for trade in trades_of(order)][-1] == "settled"


def test_every_word_of_reserve_and_execute_has_its_end() -> None:
    """Two of them have a test of their own below: what is hidden for a while, and what comes back the next day."""
    named: dict[str, set[str]] = {"reserve": set(), "execute": set()}
    for _, user, *_ in WORDS:
        leg, _, word = user.removeprefix("magic-").removesuffix(".a").partition("-")
        named[leg].add(word)
    elsewhere = {"not-found-for-a-while", "returned"}
    of_any_leg = set(faults.WORDS) - {"released", "released-always", "returned"}
    assert of_any_leg | {"released", "released-always"} == named["reserve"]
    assert of_any_leg | elsewhere == named["execute"] - {"insufficient"} | elsewhere


def test_execution_hidden_for_a_while_is_proven_by_a_later_lookup(desk: Desk, venue: VenueTransport) -> None:
    order = ordered(desk, code="south", user="magic-execute-not-found-for-a-while.a")
    drive(desk, order, seconds=1)
    assert reloaded(order).state in ("manual_review", "processed")
    if reloaded(order).state == "manual_review":
        desk.drive(passes=24)
        assert RemoteOperation.objects.get(leg="execute").state == "confirmed"
        assert decide(order.reference, "trade_proven")
    assert reloaded(order).state == "processed"


@pytest.mark.parametrize("word", ["timeout-before", "timeout-after", "error-after", "pending", "lost"])
def test_release_is_driven_until_it_is_answered_whatever_befalls_it(
    word: str, desk: Desk, venue: VenueTransport
) -> None:
    from tests.orders.wallet import declined

    desk.wallet.legs = {"debit": [declined]}
    order = drive(desk, ordered(desk, user=f"magic-release-{word}.a"))
    assert (order.state, order.status_reason) == ("failed", "debit_declined")
    desk.drive(passes=60)
    operation = RemoteOperation.objects.get(leg="release")
    assert operation.state == ("confirmed" if word != "lost" else "unknown")
    assert venue.trades() == (["released"] if word != "lost" else ["reserved"])
    if word == "lost":  # nobody ever finds out from here; people see it, and it is looked up for ever
        calls = len(venue.rows("requests"))
        desk.drive(passes=130)
        assert len(venue.rows("requests")) > calls


def test_trade_is_returned_the_next_day_by_the_venues_own_event(desk: Desk, venue: VenueTransport) -> None:
    order = drive(desk, ordered(desk, code="south", user="magic-execute-returned.a"))
    assert order.state == "processed"
    venue.deliver()
    drains.drain("inbox")
    assert not Return.objects.exists()
    desk.later(days=1)
    assert venue.deliver() == [202]
    drains.drain("inbox")
    found = Return.objects.get()
    assert open_case(Order(reference=found.reference)).reason == "trade_returned"
    assert decide(found.reference, "adjust")
    assert trades_of(order)[0].state == "returned"


def test_events_of_the_venue_are_judged_one_by_one(desk: Desk, venue: VenueTransport) -> None:
    """Duplicates are deduped by id, reordered and repeated ones ignored with a reason; the order ends once."""
    order = ordered(desk, code="south", user="magic-execute-pending-reordered.a")
    drains.drain("sagas")
    assert reloaded(order).state == "operator_debited"
    desk.later(seconds=6)
    assert venue.deliver() == [202, 202]
    drains.drain("inbox")
    drains.drain("sagas")
    assert reloaded(order).state == "processed"
    states = {row.kind: row.state for row in InboundEvent.objects.all()}
    assert states == {"trade.settled": "applied", "trade.reserved": "ignored"}
    twice = ordered(desk, code="south", user="magic-execute-pending-twice.b")
    drains.drain("sagas")
    desk.later(seconds=6)
    assert sorted(venue.deliver()) == [200, 202, 202]
    drains.drain("inbox")
    drains.drain("sagas")
    assert reloaded(twice).state == "processed"
    assert books.path(twice.reference).count("processed") == 1


# --- the price -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "refusal"), [("error", PoolUnavailable), ("silence", PoolUnavailable), ("refused", PriceNotOffered)]
)
def test_no_quote_is_made_when_the_venue_gives_no_price(
    fault: str, refusal: type[Exception], desk: Desk, venue: VenueTransport
) -> None:
    with venue.store.transaction():
        venue.store.add_plan("quote", "EUR-USDT-north", fault, None)
    before = books.world()
    with pytest.raises(refusal):
        quoted(desk)
    assert books.world() == before


def test_pool_says_that_it_is_unavailable_while_its_venues_circuit_is_open_and_recovers(
    desk: Desk, venue: VenueTransport
) -> None:
    Gateway.objects.filter(channel="venue:north").update(breaker_failures=2)
    venue.down = True
    for _ in range(2):
        with pytest.raises(PoolUnavailable):
            quoted(desk)
    assert Breaker.objects.get().open_until is not None
    venue.down = False
    questions = len(venue.rows("requests"))
    with pytest.raises(PoolUnavailable):
        quoted(desk)
    assert len(venue.rows("requests")) == questions, "nothing is asked while it is open"
    desk.later(seconds=11)
    assert quoted(desk).venue_quote_id == "vq_000001", "the first price after that is the probe"
    assert Breaker.objects.get().open_until is None


def test_no_price_is_asked_inside_a_transaction(desk: Desk, venue: VenueTransport) -> None:
    from wallets.remote_operations import InsideTransaction

    with pytest.raises(InsideTransaction), db_transaction.atomic():
        quoted(desk)


def test_price_that_the_venue_does_not_keep_fails_the_order_and_nothing_moves(
    desk: Desk, venue: VenueTransport
) -> None:
    """The venue honours what it offered and nothing better: terms beyond its offer are refused."""
    quote = quoted(desk)
    Quote.objects.filter(pk=quote.pk).update(target_minor=quote.target_minor + 1)
    order = drive(desk, desk.submit(quote))
    assert (order.state, order.status_reason) == ("failed", "price_moved")
    assert desk.wallet.calls == []


# --- what leaves the house ------------------------------------------------------------------------------------


def test_no_venue_is_named_to_an_operator(desk: Desk, venue: VenueTransport) -> None:
    from reconciliation.packets import packet_of  # noqa: F401  (the support packet is made of the trace)
    from reconciliation.trace import trace_of

    order = drive(desk, ordered(desk, code="north", user="magic-execute-timeout-after.a"))
    shown = json.dumps(trace_of(order, inside=False), default=str)
    events = json.dumps([event.payload for event in Event.objects.filter(public=True)])
    for text in (shown, events):
        for word in ("north:clearing", "venue", "vq_0", ":execute:", ":reserve:", "gateway"):
            assert word not in text, word


def test_people_of_the_house_find_an_order_by_a_venues_key_and_see_what_it_was_asked(
    desk: Desk, venue: VenueTransport
) -> None:
    from reconciliation.trace import find_orders, trace_of

    order = drive(desk, ordered(desk))
    operation = RemoteOperation.objects.get(leg="execute")
    for identifier in (operation.key, operation.reference, operation.remote_ref):
        assert [found.reference for found in find_orders(identifier)] == [order.reference], identifier
    shown = json.dumps(trace_of(order, inside=True), default=str)
    assert operation.key in shown
    assert operation.key not in json.dumps(trace_of(order, inside=False), default=str)


def test_keys_of_a_venue_are_nobodys_but_the_houses(desk: Desk, venue: VenueTransport) -> None:
    order = drive(desk, ordered(desk))
    caller: Caller = desk.caller
    asked = dict(RemoteOperation.objects.filter(owner=trades_of(order)[0].reference).values_list("leg", "operator_id"))
    assert asked.keys() == {"reserve", "execute"}
    assert caller.operator_id not in asked.values()


def test_the_venue_learns_terms_and_ids_and_in_live_nothing_of_the_user(desk: Desk, venue: VenueTransport) -> None:
    drive(desk, ordered(desk, user="alice"))
    body = json.loads(str(next(row["body"] for row in venue.rows("requests") if row["path"] == "/execute")))
    assert sorted(body) == [
        *("given_amount", "given_asset", "operation", "pool", "quote_id", "side", "taken_amount", "taken_asset"),
        *("transact_id", "user_reference", "venue_quote_id"),
    ]
    from orders.venues import http
    from wallets.gateway_port import GatewayConnection, RemoteRequest

    operation = RemoteOperation.objects.filter(leg="execute").get()
    details = operation.request["details"]
    request = RemoteRequest(operation.key, "execute", "EUR", 1, "0.01", "alice", operation.owner, details=details)
    live = json.loads(http._body(request, GatewayConnection("http://v", SECRET, "live")))
    assert "user_reference" not in live
    assert "alice" not in json.dumps(live)


def test_every_attempt_is_kept_with_what_was_said(desk: Desk, venue: VenueTransport) -> None:
    order = drive(desk, ordered(desk, user="magic-execute-garbled.a"))
    owner = trades_of(order)[0].reference
    operation = RemoteOperation.objects.get(owner=owner, leg="execute")
    kept = RemoteAttempt.objects.filter(operation_id=operation.pk).order_by("number")
    assert [(one.kind, one.outcome, one.http_status) for one in kept] == [
        ("ask", "unknown", 200),
        ("lookup", "confirmed", 200),
    ]
    assert kept[0].question.startswith("POST /execute {")
    assert all("whsec_" not in one.question + one.excerpt for one in kept)


def test_sell_is_executed_over_http_before_its_payout(desk: Desk, venue: VenueTransport) -> None:
    drive(desk, ordered(desk))
    desk.wallet.calls.clear()
    order = drive(desk, ordered(desk, side="sell", amount="50.000000"))
    assert order.state == "processed"
    assert [key.split(":")[1] for _, key in desk.wallet.calls] == ["credit"]
    assert venue.trades() == ["settled", "settled"]
    assert_over(desk)


def test_time_passes_for_pending_operations(desk: Desk, venue: VenueTransport) -> None:
    order = ordered(desk, code="south", user="magic-execute-pending.a")
    desk.drive(passes=1, pause=timedelta(seconds=1))
    assert reloaded(order).state == "operator_debited"
    desk.drive(passes=2, pause=timedelta(seconds=6))
    assert reloaded(order).state == "processed"
