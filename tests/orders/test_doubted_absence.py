"""Proven absent, and then the other side says that it knows the key after all: nothing is decided on that absence any more."""

import pytest

from orders.operations.review_case import NotAllowed
from orders.reviews.offers import offers
from tests.orders.desk import Desk, open_case, reloaded, trade_of
from tests.orders.payouts import PayoutDesk
from tests.orders.payouts import reloaded as reloaded_intent
from tests.orders.test_payout_reviews import _ABSENT, _FUNDS, allowed, in_review, looked_up
from tests.orders.test_sell_reviews import _approve, _in_review, _look_up, _propose
from tests.orders.wallet import Step, contradictory, lost_before, pending, server_error, true_state
from wallets.gateway_port import RemoteRequest, Reply
from wallets.models import Gateway, RemoteOperation
from wallets.outcomes import Rejected
from wallets.remote_operations import look_up

pytestmark = pytest.mark.usefixtures("database")

_LOOK_IT_UP = "A lookup must find nothing after the not-found horizon, or find the payment rejected."


def _refused(wallet: object, kind: str, request: RemoteRequest) -> Reply:
    return Reply(Rejected("declined"), 200)


@pytest.mark.parametrize("doubt", [pending, contradictory])
def test_payout_is_not_released_while_the_bank_works_on_what_it_did_not_know(doubt: Step, payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_before, None, **_ABSENT)
    assert allowed(intent)["release_payout"] == ""
    payouts.bank.script = [doubt, server_error]
    looked_up(intent)
    assert RemoteOperation.objects.get().state == "absent"
    assert allowed(intent)["release_payout"] == _LOOK_IT_UP
    looked_up(intent)
    assert allowed(intent)["release_payout"] == _LOOK_IT_UP, "an answer that says nothing takes no doubt away"
    with pytest.raises(NotAllowed):
        payouts.decide(intent, "release_payout")
    assert payouts.money() == (_FUNDS, 100_000)


@pytest.mark.parametrize("end", [true_state, _refused], ids=["not found again", "rejected"])
def test_payout_is_released_when_the_doubt_has_ended(end: Step, payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_before, None, **_ABSENT)
    payouts.bank.script = [pending, end]
    looked_up(intent)
    assert allowed(intent)["release_payout"] == _LOOK_IT_UP
    payouts.bank.applied.clear()
    looked_up(intent)
    assert allowed(intent)["release_payout"] == ""
    payouts.decide(intent, "release_payout")
    payouts.drive(passes=2)
    assert (reloaded_intent(intent).state, payouts.money()) == ("failed", (_FUNDS, 0))


def test_sell_is_not_unwound_when_the_doubt_comes_between_proposal_and_approval(desk: Desk) -> None:
    order = _in_review(desk, [lost_before, None])
    _look_up(order)
    assert not _propose(order, "unwind").resolved
    desk.wallet.legs["credit"] = [pending]
    _look_up(order)
    with pytest.raises(NotAllowed):
        _approve(order)
    said = {one.resolution.value: one.why_not for one in offers(case=open_case(order))}
    assert said["credit_again"] == said["unwind"] == "The credit must be proven absent or rejected. Look it up first."
    assert reloaded(order).state == "manual_review"
    assert trade_of(order).state == "settled"


def test_debit_is_not_given_up_while_the_wallet_works_on_it(desk: Desk) -> None:
    desk.wallet.legs["debit"] = [lost_before, None]
    order = desk.order()
    desk.drive(passes=12)
    assert reloaded(order).state == "manual_review"
    _look_up(order)
    assert {one.resolution.value: one.why_not for one in offers(case=open_case(order))}["debit_absent"] == ""
    desk.wallet.legs["debit"] = [pending]
    _look_up(order)
    with pytest.raises(NotAllowed):
        _propose(order, "debit_absent")
    desk.wallet.legs["debit"] = [None]
    _look_up(order)
    assert RemoteOperation.objects.get().state == "confirmed"


def test_doubted_debit_is_looked_up_where_an_absent_one_would_be_asked_again(desk: Desk) -> None:
    Gateway.objects.update(resubmit=True, requery_cap=9, not_found_horizon_ms=1_000)
    desk.wallet.legs["debit"] = [lost_before, None]
    desk.order()
    desk.drive(passes=1)
    operation = RemoteOperation.objects.get()
    look_up(operation.key)
    assert RemoteOperation.objects.get().state == "absent"
    desk.wallet.legs["debit"] = [pending, server_error]
    look_up(operation.key)
    calls = len(desk.wallet.calls)
    desk.drive(passes=1)
    assert desk.wallet.calls[calls:] == [("lookup", operation.key)]
