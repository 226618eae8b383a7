"""A payout whose hold has ended behind its saga: the same way is success, the other way is for people, never a guess."""

from dataclasses import replace

import pytest
from django.db import transaction as db_transaction

from ledger import journal, verify
from ledger.controls import clock, drains
from ledger.drafts import Draft
from orders import payout_terms
from orders.models import Freeze, Intent, Return, ReviewCase, SagaRun, WalletEntry
from orders.operations import review_case
from orders.operations.freeze_order import lift_intent_freeze
from orders.operations.review_case import NotAllowed
from orders.reviews.offers import offers
from orders.sagas import payout as saga
from tests.orders import books
from tests.orders.payouts import ASSET, PayoutDesk, open_case, payout_of, reloaded
from tests.orders.test_payout_reviews import adjusted, in_review, looked_up
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error
from wallets.gateway_port import RemoteRequest
from wallets.models import RemoteOperation
from wallets.remote_operations import look_again, look_up

pytestmark = pytest.mark.usefixtures("database")

_FUNDS = 1_000_000


def at_its_end(payouts: PayoutDesk, answer: Step | None = None) -> Intent:
    """A payout whose channel has answered, and whose hold is to be ended by the next step."""
    payouts.bank.script = [answer]
    intent = payouts.pay("1000.00")
    for _ in range(2):
        saga.advance(payout_of(intent))
    assert payout_of(intent).state == ("settling" if answer is None else "releasing")
    return reloaded(intent)


def behind_its_back(intent: Intent, kind: str) -> None:
    """Somebody ends the hold under a key of his own."""
    payout = payout_of(intent)
    made: Draft = (payout_terms.settle if kind == "posted" else payout_terms.release)(intent, payout)
    with db_transaction.atomic():
        journal.post_all(environment="test", drafts=[replace(made, key="by hand")], now=clock.now())


def refusals(intent: Intent) -> dict[str, str]:
    return {offer.resolution.value: offer.why_not for offer in offers(case=open_case(intent))}


@pytest.mark.parametrize(
    ("answer", "ended", "ends_in", "money", "line"),
    [
        (None, "posted", "settled", (_FUNDS - 100_000, 0), "payout"),
        (declined, "voided", "failed", (_FUNDS, 0), "payout_release"),
    ],
)
def test_hold_that_has_ended_so_already_is_success(
    answer: Step | None, ended: str, ends_in: str, money: tuple[int, int], line: str, payouts: PayoutDesk
) -> None:
    """OneWallet: after PG commit, before TB post: the worker retries, TB returns already_posted, not an error."""
    intent = at_its_end(payouts, answer)
    behind_its_back(intent, ended)
    before = books.balances()
    payouts.drive(passes=3)
    assert (reloaded(intent).state, payout_of(intent).state) == (ends_in, "complete")
    assert books.balances() == before, "once"
    assert payouts.money() == money
    assert not ReviewCase.objects.exists()
    assert not SagaRun.objects.exists()
    last = WalletEntry.objects.filter(subject=intent.reference).latest("pk")
    assert (last.kind, int(last.posted_minor), int(last.held_minor)) == (line, *money)


@pytest.mark.parametrize(("answer", "ended"), [(None, "voided"), (declined, "posted")])
def test_hold_that_has_ended_otherwise_is_for_people(answer: Step | None, ended: str, payouts: PayoutDesk) -> None:
    intent = at_its_end(payouts, answer)
    behind_its_back(intent, ended)
    before = books.balances()
    payouts.drive(passes=5)
    assert (reloaded(intent).state, reloaded(intent).status_reason) == ("manual_review", "payout_hold_ended")
    assert payout_of(intent).state == "manual_review"
    assert open_case(intent).reason == "payout_hold_ended"
    assert books.balances() == before, "nothing is guessed"
    assert not Return.objects.exists()
    assert SagaRun.objects.get().last_error == ""


def test_paid_with_its_hold_voided_can_only_be_released_and_the_payment_is_taken_as_a_late_effect(
    payouts: PayoutDesk,
) -> None:
    intent = at_its_end(payouts)
    behind_its_back(intent, "voided")
    payouts.drive(passes=2)
    assert refusals(intent)["settle_payout"].startswith("Its hold was voided")
    with pytest.raises(NotAllowed):
        payouts.decide(intent, "settle_payout")
    payouts.decide(intent, "release_payout")
    payouts.drive(passes=2)
    assert (reloaded(intent).state, payouts.money()) == ("failed", (_FUNDS, 0))
    found = Return.objects.get()
    assert (found.kind, int(found.amount_minor)) == ("late_effect", 100_000)
    adjusted(found)
    assert payouts.money() == (_FUNDS - 100_000, 0)
    assert [verdict for verdict in verify.verify() if verdict.breaks] == []


def test_unpaid_with_its_hold_posted_can_only_be_settled_and_comes_back_as_a_return(payouts: PayoutDesk) -> None:
    intent = at_its_end(payouts, declined)
    behind_its_back(intent, "posted")
    payouts.drive(passes=2)
    assert refusals(intent)["release_payout"].startswith("Its hold was posted")
    payouts.decide(intent, "settle_payout")
    payouts.drive(passes=2)
    assert (reloaded(intent).state, payouts.money()) == ("settled", (_FUNDS - 100_000, 0))
    found = Return.objects.get()
    assert (found.kind, int(found.amount_minor)) == ("payout_returned", 100_000)
    adjusted(found)
    assert payouts.money() == (_FUNDS, 0)


@pytest.mark.parametrize("told", ["after its end", "while people decide"])
def test_unpaid_with_its_hold_posted_and_paid_after_all_is_a_late_effect(told: str, payouts: PayoutDesk) -> None:
    """What came back as never paid was paid: the money that the wallet got for it is taken again, once."""
    intent = at_its_end(payouts, declined)
    behind_its_back(intent, "posted")
    payouts.drive(passes=2)
    payouts.decide(intent, "settle_payout")
    if told == "while people decide":
        paid_after_all(payouts)
        lifted(intent)
    payouts.drive(passes=2)
    if told == "after its end":
        paid_after_all(payouts)
    assert reloaded(intent).state == "settled"
    assert not Freeze.objects.filter(lifted_at__isnull=True).exists()
    unpaid, late = Return.objects.order_by("pk")
    assert (unpaid.kind, late.kind) == ("payout_returned", "late_effect")
    assert (late.operation_key, int(late.amount_minor)) == (RemoteOperation.objects.get().key, 100_000)
    adjusted(unpaid)
    assert payouts.money() == (_FUNDS, 0)
    adjusted(late)
    assert payouts.money() == (_FUNDS - 100_000, 0)
    assert [verdict for verdict in verify.verify() if verdict.breaks] == []


def test_absent_with_its_hold_posted_and_paid_late_is_a_late_effect(payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_before, None, not_found_horizon_ms=1_000)
    behind_its_back(intent, "posted")
    payouts.decide(intent, "settle_payout")
    payouts.drive(passes=2)
    adjusted(Return.objects.get())
    key = RemoteOperation.objects.get().key
    payouts.bank.applied[key] = RemoteRequest(key, "submit", ASSET, 100_000, "1000.00", "", "")
    look_up(key)
    drains.drain("relay")
    late = Return.objects.get(kind="late_effect")
    adjusted(late)
    assert payouts.money() == (_FUNDS - 100_000, 0)


def paid_after_all(payouts: PayoutDesk) -> None:
    """The channel confirms what it had declined, in the answer to a lookup."""
    operation = RemoteOperation.objects.get()
    payouts.bank.script = [None]
    payouts.bank.applied[operation.key] = RemoteRequest(operation.key, "submit", ASSET, 100_000, "1000.00", "", "")
    look_again(operation.key)
    drains.drain("relay")


def lifted(intent: Intent) -> None:
    with db_transaction.atomic():
        lift_intent_freeze(intent_reference=intent.reference, actor="user:lena", now=clock.now())


def test_nothing_is_decided_on_a_hold_alone_while_the_payment_is_unknown(payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_after, server_error)
    behind_its_back(intent, "posted")
    assert all(refusals(intent).values())
    assert RemoteOperation.objects.get().state == "unknown"


def test_hold_that_ends_otherwise_after_people_decided_opens_the_next_case(payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_after, server_error, server_error, None)
    looked_up(intent)
    payouts.decide(intent, "settle_payout")
    behind_its_back(intent, "voided")
    payouts.drive(passes=3)
    assert (reloaded(intent).state, payout_of(intent).state) == ("manual_review", "manual_review")
    assert ReviewCase.objects.count() == 2
    assert open_case(intent).reason == "payout_hold_ended"
    case = open_case(intent)
    review_case.look_up_now(case_reference=case.reference, actor="user:olga", now=clock.now())
    assert payouts.money() == (_FUNDS, 0)


def test_absent_with_its_hold_voided_is_released(payouts: PayoutDesk) -> None:
    intent = in_review(payouts, lost_before, None, not_found_horizon_ms=1_000)
    behind_its_back(intent, "voided")
    payouts.decide(intent, "release_payout")
    payouts.drive(passes=2)
    assert (reloaded(intent).state, reloaded(intent).status_reason) == ("failed", "payout_absent")
    assert (payouts.money(), Return.objects.count()) == ((_FUNDS, 0), 0)
