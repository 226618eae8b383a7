"""Outcome markets: opening, trading, closing, resolution by two people, redemption, and voiding that gives money back."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
import pytest
from django.db import transaction as db_transaction

from ledger import journal
from ledger.controls.approvals import SelfApproval
from ledger.controls.moves import IllegalMove
from ledger.controls.refusals import Malformed, Refusal
from ledger.drafts import Draft
from ledger.models import Hold, Transaction
from ledger.money import Money
from orders.models import Market, Order, Pool
from orders.operations import create_quote, resolve_market, submit_order
from orders.operations.fund_maker import fund_maker
from orders.operations.open_market import MarketExists
from orders.positions_paid import Paid, paid_for, paid_for_all
from orders.reviews.offers import offers
from orders.venue_port import MarketNotOpen, MarketNotResolved, SideNotOffered
from tests.orders import books
from tests.orders.bets import FUNDING, Bets, open_bets, text
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.wallet import declined

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def bets(desk: Desk) -> Bets:
    return open_bets(desk)


def _refused(desk: Desk, act: Callable[[], object], refusal: type[Refusal]) -> Refusal:
    """Have the act refused, and see that the world is as it was."""
    before, calls = books.world(), list(desk.wallet.calls)
    with pytest.raises(refusal) as raised:
        act()
    assert type(raised.value) is refusal
    assert (books.world(), desk.wallet.calls) == (before, calls)
    return raised.value


def _solvent(bets: Bets) -> None:
    """The maker's cash covers whatever comes true: each outcome's shares in other hands."""
    standing = books.balances()
    for outcome in ("YES", "NO"):
        pool = standing[f"pools:{bets.code}", outcome]
        assert bets.cash() >= 10**15 - (pool[1] - pool[0]) >= 0


def test_market_opens_at_an_even_price_with_the_makers_cash(bets: Bets) -> None:
    standing = books.balances()
    assert standing["makers:RAIN-2026", "EUR"] == (FUNDING, FUNDING, 0, 0)
    assert standing["pools:RAIN-2026", "EUR"] == (0, FUNDING, 0, 0)
    assert standing["pools:RAIN-2026", "YES"] == standing["pools:RAIN-2026", "NO"] == (0, 10**15, 0, 0)
    yes, no = bets.quote("YES", "10.00"), bets.quote("NO", "10.00")
    assert yes.target_minor == no.target_minor
    cash = 1_000 - 25 - 5
    assert int(yes.cash_minor) == cash
    assert int(yes.target_minor) == cash + FUNDING * cash // (FUNDING + cash), (
        "one set each, and the other half swapped"
    )
    assert books.path(bets.market.reference) == ["open"]


def test_shares_are_bought_and_sold_and_the_maker_never_loses(bets: Bets) -> None:
    bought = bets.done("YES", "100.00")
    assert bets.held("YES") == int(bought.target_minor)
    _solvent(bets)
    dearer = bets.quote("YES", "100.00")
    assert dearer.target_minor < bought.target_minor, "a bought outcome grows dearer"
    cheaper = bets.quote("NO", "100.00")
    assert cheaper.target_minor > bought.target_minor
    sold = bets.done("YES", text(bets.held("YES")), side="sell")
    assert bets.held("YES") == 0
    assert trade_of(sold).terms["settled_by"] == "TRADE_SETTLE"
    assert FUNDING <= bets.cash() <= FUNDING + 1
    _solvent(bets)
    standing = books.balances()
    assert standing["transit:orders:acme", "EUR"][0] == standing["transit:orders:acme", "EUR"][1]
    assert not Hold.objects.filter(state="open").exists()


def test_positions_of_two_markets_are_two_positions(desk: Desk, bets: Bets) -> None:
    other = open_bets(desk, code="SNOW-2026")
    bets.done("YES", "20.00")
    assert other.held("YES") == 0
    quote = other.quote("YES", "5.00", side="sell")
    _refused(desk, lambda: desk.submit(quote), submit_order.PositionTooSmall)


def test_closed_market_takes_no_trades_and_settles_what_is_reserved(desk: Desk, bets: Bets) -> None:
    reserved, late = bets.order("YES", "30.00"), bets.quote("YES", "30.00")
    bets.close()
    _refused(desk, lambda: bets.quote("YES", "30.00"), MarketNotOpen)
    _refused(desk, lambda: desk.submit(late), MarketNotOpen)
    _refused(desk, lambda: bets.quote("YES", "1.00", side="redemption"), MarketNotResolved)
    desk.drive(passes=1)
    assert reloaded(reserved).state == "processed"
    assert bets.held("YES") == int(reserved.target_minor)


@pytest.mark.parametrize(
    ("price", "yes_pays", "no_pays"), [("1", 100, 0), ("0", 0, 100), ("0.25", 25, 75), ("0.333333", 33, 66)]
)
def test_positions_are_redeemed_at_the_resolved_price(
    price: str, yes_pays: int, no_pays: int, desk: Desk, bets: Bets
) -> None:
    bets.done("YES", "40.00")
    bets.done("NO", "30.00", user="bob")
    bets.end(price)
    assert (bets.market.state, bets.market.evidence) == ("resolved", "the weather office")
    for outcome, user, pays in (("YES", "alice", yes_pays), ("NO", "bob", no_pays)):
        held = bets.held(outcome, user=user)
        if pays == 0:
            worthless = partial(bets.quote, outcome, text(held), side="redemption", user=user)
            _refused(desk, worthless, create_quote.WorthNothing)
            continue
        one = bets.quote(outcome, "1.00", side="redemption", user=user)
        assert (int(one.target_minor), int(one.fee_minor)) == (pays, 0)
        before = bets.cash()
        order = bets.done(outcome, text(held), side="redemption", user=user)
        assert bets.held(outcome, user=user) == 0
        assert before - bets.cash() == int(order.target_minor)
        assert [row for row in books.lines(subject=order.reference) if row[0] == "TRADE_SETTLE"] == []
        settled = Transaction.objects.filter(subject=order.reference).values_list("event_type", flat=True)
        assert set(settled) == {"TRADE_RESERVE", "ORDER_REDEMPTION", "ORDER_CREDIT_CONFIRMED"}
    assert bets.cash() >= 0


def test_redemption_is_credited_like_a_sell_and_reviewed_like_one(desk: Desk, bets: Bets) -> None:
    bets.done("YES", "40.00")
    bets.end("1")
    desk.wallet.calls.clear()
    desk.wallet.legs = {"credit": [declined]}
    order = bets.order("YES", "10.00", side="redemption")
    desk.drive(passes=2)
    order = reloaded(order)
    assert (order.state, order.status_reason) == ("manual_review", "credit_rejected")
    assert (open_case(order).asset, int(open_case(order).amount_minor)) == ("EUR", 1_000)
    assert desk.wallet.calls == [("ask", f"{order.reference}:credit:v1")]


def test_position_is_redeemed_once(desk: Desk, bets: Bets) -> None:
    bets.done("YES", "40.00")
    bets.end("1")
    whole = text(bets.held("YES"))
    first, second = (bets.quote("YES", whole, side="redemption") for _ in range(2))
    desk.submit(first)
    _refused(desk, lambda: desk.submit(second), submit_order.PositionTooSmall)


def test_resolution_takes_two_people_and_evidence(desk: Desk, bets: Bets) -> None:
    _refused(desk, lambda: bets.propose("1"), resolve_market.NotClosed)
    bets.close()
    _refused(desk, lambda: bets.propose("1", evidence=" "), resolve_market.EvidenceMissing)
    for price in ("2", "-1", "1e0", "0.1234567", "", "yes", "NaN", "1_0", "."):
        _refused(desk, partial(bets.propose, price), Malformed)
    _refused(desk, bets.approve, resolve_market.NothingProposed)
    bets.propose("1")
    _refused(desk, lambda: bets.propose("0", actor="user:other"), resolve_market.ProposalWaits)
    _refused(desk, lambda: bets.approve(actor="user:lead"), SelfApproval)
    assert bets.market.state == "closed"
    assert bets.approve().state == "resolved"
    _refused(desk, bets.approve, resolve_market.NothingProposed)
    _refused(desk, lambda: bets.propose("0"), resolve_market.NotClosed)
    _refused(desk, bets.close, IllegalMove)
    assert books.path(bets.market.reference) == ["open", "closed", "resolved"]


def test_voided_market_redeems_each_position_at_what_was_paid_for_it(desk: Desk, bets: Bets) -> None:
    """Fees excluded; part by part; and the average cost of what was bought at two prices and sold in part."""
    first = bets.done("YES", "100.00")
    second = bets.done("YES", "50.00")
    paid = sum(int(quote_of(order).cash_minor) for order in (first, second))
    bought = bets.held("YES")
    bets.done("YES", text(bought // 4), side="sell")
    left = paid - paid * (bought // 4) // bought
    other = bets.done("NO", "60.00", user="bob")
    bets.end("void")
    assert bets.market.state == "voided"
    half = bets.held("YES") // 2
    parts = [
        bets.done("YES", text(half), side="redemption"),
        bets.done("YES", text(bets.held("YES")), side="redemption"),
    ]
    assert sum(int(order.target_minor) for order in parts) == left
    bob = bets.done("NO", text(bets.held("NO", user="bob")), side="redemption", user="bob")
    assert int(bob.target_minor) == int(quote_of(other).cash_minor)
    assert bets.held("YES") == bets.held("NO", user="bob") == 0
    assert bets.cash() >= 0


def quote_of(order: Order):  # type: ignore[no-untyped-def]  # the order's quote
    from orders.models import Quote

    return Quote.objects.get(reference=order.quote_reference)


def _profits_of_sellers(bets: Bets) -> None:
    """Alice and carol sell with profits, bob and dave hold what they paid much for: the pool owes more than it has."""
    for outcome, early, late, amount in (("YES", "alice", "bob", "50.00"), ("NO", "carol", "dave", "60.00")):
        bets.done(outcome, "3.00", user=early)
        bets.done(outcome, amount, user=late)
        bets.done(outcome, text(bets.held(outcome, user=early)), side="sell", user=early)


def test_void_moves_the_shortfall_from_the_makers_funds(desk: Desk) -> None:
    bets = open_bets(desk, funding_minor=200)
    _profits_of_sellers(bets)
    _solvent(bets)
    holders = Order.objects.filter(user_reference__in=["bob", "dave"])
    owed = sum(int(quote_of(order).cash_minor) for order in holders)
    shortfall = owed - bets.cash()
    assert shortfall > 0
    bets.close()
    bets.propose("void")
    lacking = _refused(desk, bets.approve, resolve_market.MakerLacksFunds)
    assert lacking.fields == {"missing": text(shortfall), "asset": "EUR"}
    for _ in range(2):
        with db_transaction.atomic():
            fund_maker(environment="test", code=bets.code, amount=Money(shortfall, "EUR"), key="one", actor="user:lead")
    bets.approve()
    moved = Transaction.objects.get(event_type="MARKET_VOID")
    assert moved.subject == bets.market.reference
    assert bets.cash() == owed
    standing = books.balances()["makers:RAIN-2026", "EUR"]
    assert standing[0] == standing[1] == 200 + shortfall
    for outcome, user in (("YES", "bob"), ("NO", "dave")):
        bets.done(outcome, text(bets.held(outcome, user=user)), side="redemption", user=user)
    assert bets.cash() == 0


def test_open_reservations_fail_when_the_market_is_voided(desk: Desk, bets: Bets) -> None:
    """Not yet debited: failed. Debited: compensated. A sell: failed, the position free again."""
    from orders.sagas import buy

    bets.done("YES", "40.00")
    waiting, selling, debited = (
        bets.order("NO", "15.00"),
        bets.order("YES", "5.00", side="sell"),
        bets.order("NO", "10.00"),
    )
    for _ in range(3):
        buy.advance(reloaded(debited))
    assert reloaded(debited).state == "operator_debited"
    held = bets.held("YES")
    bets.end("void")
    desk.drive(passes=3)
    ends = [(reloaded(order).state, reloaded(order).status_reason) for order in (waiting, selling, debited)]
    assert ends == [("failed", "market_voided"), ("failed", "market_voided"), ("compensated", "market_voided")]
    assert [trade_of(order).state for order in (waiting, selling, debited)] == ["failed"] * 3
    assert bets.held("YES") == held
    assert not Hold.objects.filter(state="open").exists()
    standing = books.balances()["transit:orders:acme", "EUR"]
    assert standing[0] == standing[1]


def test_open_reservations_fail_when_the_market_is_resolved(desk: Desk, bets: Bets) -> None:
    """What its shares are worth is known: nobody gets them at yesterday's price, winner or loser."""
    from orders.sagas import buy

    bets.done("YES", "40.00")
    winner, loser, selling = (
        bets.order("NO", "10.00"),
        bets.order("YES", "10.00"),
        bets.order("YES", "5.00", side="sell"),
    )
    for _ in range(3):
        buy.advance(reloaded(winner))
    assert reloaded(winner).state == "operator_debited"
    cash, held = bets.cash(), bets.held("YES")
    bets.end("0")
    desk.drive(passes=3)
    ends = [(reloaded(order).state, reloaded(order).status_reason) for order in (winner, loser, selling)]
    assert ends == [("compensated", "market_resolved"), ("failed", "market_resolved"), ("failed", "market_resolved")]
    assert (bets.cash(), bets.held("YES"), bets.held("NO")) == (cash, held, 0)
    assert not Hold.objects.filter(state="open").exists()


def test_redemption_is_refused_in_the_right_words_when_the_pool_cannot_pay_it(desk: Desk, bets: Bets) -> None:
    """The position is there; what lacks is the pool's cash (finance took it out, wrongly)."""
    bets.done("YES", "100.00")
    bets.end("1")
    quote = bets.quote("YES", text(bets.held("YES")), side="redemption")
    journal.post_all(
        environment="test",
        drafts=[
            Draft(
                event_type="MANUAL_ADJUSTMENT",
                key="adjustment:wrong",
                subject="",
                amounts={"amount": Money(bets.cash() - 100, "EUR")},
                accounts={"debit": "pools:RAIN-2026", "credit": "@world"},
            )
        ],
    )
    lacking = _refused(desk, lambda: desk.submit(quote), submit_order.PoolLacksFunds)
    assert (lacking.code, lacking.message) == ("pool_lacks_funds", "The pool cannot pay this now; try again later.")


def test_sell_at_a_loss_is_not_unwound_once_its_market_is_voided(desk: Desk, bets: Bets) -> None:
    """Unwound, it would be worth again what was paid for it, and the pool has not kept that."""
    bets.done("YES", "100.00")
    bets.done("NO", "300.00", user="bob")
    desk.wallet.legs = {"credit": [declined]}
    sell = bets.order("YES", text(bets.held("YES")), side="sell")
    assert sell.target_minor < 9_000
    desk.drive(passes=1)
    assert reloaded(sell).state == "manual_review"
    bets.end("void")
    cash = bets.cash()
    offered = {offer.resolution.value: offer for offer in offers(case=open_case(sell))}
    assert not offered["unwind"].allowed
    assert "what they are worth has moved" in offered["unwind"].why_not
    assert (bets.cash(), bets.held("YES")) == (cash, 0)


def test_what_was_paid_never_falls_below_nothing_when_a_returned_buy_was_sold_before(
    bets: Bets, superuser_connection: psycopg.Connection[Any]
) -> None:
    """A market takes no trade back, but its books may hold one from before: its shares are sold, its price is not paid."""
    first, second = bets.done("YES", "100.00"), bets.done("YES", "50.00")
    bets.done("YES", text(bets.held("YES")), side="sell")
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute(
        "UPDATE orders_trade SET state = 'returned' WHERE order_reference = %s", [first.reference]
    )
    pool = Pool.objects.get(code="RAIN-2026-YES")
    position = trade_of(second).terms["accounts"]["position"]
    assert paid_for(pool=pool, position=position) == Paid(0, 0)
    assert paid_for_all(pool) == 0


def test_redemption_is_not_offered_where_a_pair_is_traded(desk: Desk) -> None:
    def quote() -> None:
        with db_transaction.atomic():
            create_quote.create_quote(
                caller=desk.caller,
                pool_code="EUR-USDT",
                side="redemption",
                source_asset="USDT",
                source_amount="1.00",
                user_reference="alice",
                firm=True,
                now=desk.clock.now(),
            )

    _refused(desk, quote, SideNotOffered)


def test_market_is_not_opened_twice_or_badly(desk: Desk, bets: Bets) -> None:
    _refused(desk, lambda: open_bets(desk), MarketExists)
    _refused(desk, lambda: open_bets(desk, code="rain"), Malformed)
    _refused(desk, lambda: open_bets(desk, code="OTHER", funding_minor=0), Malformed)
    assert (Market.objects.count(), Pool.objects.filter(kind="outcome_market").count()) == (1, 2)


def test_price_covers_no_more_when_the_other_outcome_was_sold_meanwhile(desk: Desk, bets: Bets) -> None:
    """Both pools of a market share one account: a trade in one moves the price of the other."""
    bets.done("NO", "50.00", user="bob")
    quote = bets.quote("YES", "20.00")
    bets.order("NO", text(bets.held("NO", user="bob")), side="sell", user="bob")
    _refused(desk, lambda: desk.submit(quote), submit_order.PriceMoved)
    desk.later(seconds=1)
    assert timedelta(seconds=30) > desk.clock.now() - quote.created_at
