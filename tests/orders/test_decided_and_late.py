"""What people decided waits for its turn; what the wallet applies after an unwind is seen; ours is not taken back."""

from datetime import timedelta

import pytest

from ledger.controls import clock, drains
from orders.models import Return
from orders.operations.return_trade import NotReturnable, return_trade
from orders.operations.review_case import NotAllowed
from tests.orders.bets import open_bets, text
from tests.orders.desk import Desk, reloaded, trade_of
from tests.orders.test_operation_news import Wallet, telling
from tests.orders.test_sell_reviews import _approve, _in_review, _look_up, _propose
from tests.orders.wallet import declined, lost_before
from wallets.gateway_port import RemoteRequest
from wallets.models import Breaker, Gateway

pytestmark = pytest.mark.usefixtures("database")

__all__ = ["telling"]


def test_granted_credit_waits_while_the_circuit_is_open(desk: Desk) -> None:
    order = _in_review(desk, [lost_before, None])
    _look_up(order)
    until = clock.now() + timedelta(seconds=60)
    Breaker.objects.update_or_create(gateway=Gateway.objects.get(), defaults={"open_until": until, "failures": 9})
    calls = list(desk.wallet.calls)
    assert _propose(order, "credit_again").resolved
    drains.drain("sagas")
    assert desk.wallet.calls == calls
    assert reloaded(order).state == "operator_credit_pending"


def test_granted_credit_waits_while_the_gateway_is_paused(desk: Desk) -> None:
    order = _in_review(desk, [lost_before, None])
    _look_up(order)
    Gateway.objects.update(paused_until=clock.now() + timedelta(seconds=60))
    calls = list(desk.wallet.calls)
    assert _propose(order, "credit_again").resolved
    drains.drain("sagas")
    assert desk.wallet.calls == calls
    assert reloaded(order).state == "operator_credit_pending"


def test_return_is_opened_when_the_credit_of_an_unwound_sell_is_applied_late(desk: Desk, telling: Wallet) -> None:
    order = _in_review(desk, [lost_before, None])
    _look_up(order)
    _propose(order, "unwind")
    _approve(order)
    key = f"{order.reference}:credit:v1"
    desk.wallet.applied[key] = RemoteRequest(key, "credit", "EUR", int(order.target_minor), "", "alice", "")
    telling.tell(key)
    drains.drain("inbox")
    desk.drive(passes=2)
    drains.drain("relay")
    found = Return.objects.get()
    assert (found.operation_key, found.leg, found.gives_back_by) == (key, "credit", "debit")
    assert reloaded(order).state == "failed"


def test_shares_of_an_outcome_market_are_not_unwound(desk: Desk) -> None:
    bets = open_bets(desk)
    bets.done("YES", "1000.00")
    desk.wallet.legs = {"credit": [declined]}
    sell = bets.order("YES", text(bets.held("YES")), side="sell")
    desk.drive(passes=2)
    cash = bets.cash()
    with pytest.raises(NotAllowed):
        _propose(sell, "unwind")
    assert (reloaded(sell).state, bets.cash()) == ("manual_review", cash)


def test_trade_of_an_outcome_market_is_not_taken_back(desk: Desk) -> None:
    buy = open_bets(desk).done("YES", "1000.00")
    with pytest.raises(NotReturnable):
        return_trade(trade_reference=trade_of(buy).reference, reason="x", actor="user:lena", now=clock.now())
    assert (trade_of(buy).state, Return.objects.count()) == ("settled", 0)
