"""The evidence of a case, on its page and over REST alike: also a venue's legs, which are the trade's, and a channel's."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction
from django.test import Client

from ledger.controls import clock
from ledger.controls.moves import Why
from orders import payout_terms
from orders.locks import lock_payout
from orders.models import Intent, Return, ReviewCase
from orders.operations import review_case
from orders.operations.return_payout import return_payout
from orders.operations.return_trade import return_trade
from tests.console.test_payouts import dead_letter, payouts
from tests.orders.desk import Desk, open_case, reloaded
from tests.orders.lanes import open_lanes, trades_of
from tests.orders.payouts import PayoutDesk, payout_of
from tests.orders.payouts import open_case as open_payout_case
from tests.orders.wallet import lost_after, server_error
from tests.rest.conftest import open_house
from wallets.models import RemoteOperation

__all__ = ["payouts"]

pytestmark = pytest.mark.usefixtures("database")

SignIn = Callable[[str, str], Client]


def _page(client: Client, case: ReviewCase) -> str:
    body = client.get(f"/console/review/{case.reference}/").content.decode()
    return body[body.index("Their book, as far as we know") : body.index('id="history"')]


def _told(case: ReviewCase) -> tuple[list[tuple[str, str, int]], str | None, str | None]:
    told = open_house().get(f"/v1/review-cases/{case.reference}").json
    evidence = [(one["idempotency_key"], one["status"], one["attempts"]) for one in told["evidence"]]
    return evidence, told["order_id"], told["intent_id"]


def test_a_venues_legs_are_evidence_of_the_trades_case(signed_in: SignIn, desk: Desk) -> None:
    lanes = open_lanes(desk)
    desk.wallet.legs = {"execute": [lost_after, server_error]}
    order = lanes.order(amount="300.00")
    desk.drive(passes=10, pause=timedelta(seconds=2))
    case = open_case(reloaded(order))
    assert case.reason == "trade_unknown"
    review_case.look_up_now(case_reference=case.reference, actor="user:olga", now=clock.now())
    trade = trades_of(order)[0].reference
    lookups = RemoteOperation.objects.get(leg="execute").lookups
    page = _page(signed_in("olga", "ops"), case)
    for leg in ("reserve", "execute"):
        assert f"{trade}:{leg}:v1" in page
    shown = page[page.index(f"{trade}:execute:v1") :]
    assert shown[: shown.index("</table>")].count("<td>lookup</td>") == lookups >= 4
    assert page.count("remote_operation</td>") > 3, "the moves of its legs are in the timeline"
    evidence, order_id, intent_id = _told(case)
    assert evidence == [
        (f"{trade}:reserve:v1", "confirmed", 1),
        (f"{order.reference}:debit:v1", "confirmed", 1),
        (f"{trade}:execute:v1", "unknown", 1 + lookups),
    ]
    assert (order_id, intent_id) == (order.reference, None)


def test_a_returns_case_shows_what_was_asked_for_its_order_and_trade(signed_in: SignIn, desk: Desk) -> None:
    lanes = open_lanes(desk)
    order = lanes.order(amount="300.00")
    desk.drive(passes=2)
    trade = trades_of(order)[0].reference
    return_trade(trade_reference=trade, reason="their letter", actor="user:lena", now=clock.now())
    case = ReviewCase.objects.get(subject=Return.objects.get().reference)
    page = _page(signed_in("olga", "ops"), case)
    evidence, order_id, intent_id = _told(case)
    keys = [f"{trade}:reserve:v1", f"{order.reference}:debit:v1", f"{trade}:execute:v1"]
    assert [key for key, *_ in evidence] == keys
    assert all(key in page for key in keys)
    assert (order_id, intent_id) == (order.reference, None)


def test_a_payouts_case_shows_what_the_channel_was_asked_and_names_its_intent(
    signed_in: SignIn, payouts: PayoutDesk
) -> None:
    intent = dead_letter(payouts)
    case = open_payout_case(intent)
    key = f"{payout_of(intent).reference}:submit:v1"
    assert key in _page(signed_in("olga", "ops"), case)
    evidence, order_id, intent_id = _told(case)
    operation = RemoteOperation.objects.get()
    assert evidence == [(key, "unknown", 1 + operation.lookups)]
    assert (order_id, intent_id) == (None, intent.reference)
    (row,) = open_house().get("/v1/review-cases").json["data"]
    assert (row["order_id"], row["intent_id"]) == (None, intent.reference)


def test_a_payouts_return_names_its_intent(payouts: PayoutDesk) -> None:
    payouts.bank.script = [None]
    paid = payouts.pay("20.00")
    payouts.drive(passes=3)
    with db_transaction.atomic():
        intent, payout = lock_payout(payout_of(paid).reference)
        amount, why = payout_terms.paid_out(intent), Why("bank", "no such account")
        found = return_payout(intent=intent, payout=payout, amount=amount, provider={}, why=why, now=clock.now())
    evidence, order_id, intent_id = _told(ReviewCase.objects.get(subject=found.reference))
    assert [key for key, *_ in evidence] == [f"{payout.reference}:submit:v1"]
    assert (order_id, intent_id) == (None, Intent.objects.get().reference)
