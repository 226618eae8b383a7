"""Dry runs of the fees of pay-ins, refunds and chargebacks: over what providers told us, as it was told."""

from datetime import timedelta

import pytest

from ledger.controls import clock
from ledger.controls.refusals import Malformed
from ledger.money import Money
from orders.models import PayIn
from reconciliation import rule_trials
from reconciliation.rule_trials import FeeTrial
from tests.orders.conftest import fixed_clock, till
from tests.orders.test_pay_ins import TERMS, Psp
from tests.orders.till import Till
from tests.wallets.people import operator, wallet
from tests.wallets.rules import fee, in_force
from wallets import rules
from wallets.models import FeeRule, Wallet
from wallets.rule_terms import FeeTerms
from webhooks import providers

__all__ = ["fixed_clock", "till"]

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def psp() -> Psp:
    """A provider that has told us three collections, a refund and a chargeback."""
    in_force(fee("payin_fee", flow="payin", basis_points=100, vat_basis_points=700))
    made = providers.create(code="psp", environment="test", operator_id=None, terms=TERMS, now=clock.now())
    told, shop = Psp("psp", made.secret), wallet("shop", kind="merchant")
    told.collects(shop, "100.00", transaction="txn_1")
    told.collects(shop, "40.00", transaction="txn_2")
    told.collects(shop, "0.20", transaction="txn_3")
    told.gives_back("30.00", of="txn_1", transaction="txn_4")
    told.takes_back("10.00", of="txn_1", transaction="txn_5")
    assert PayIn.objects.count() == 5
    return told


def tried(terms: FeeTerms) -> FeeTrial:
    made = rules.draft(environment="test", code="tried", terms=terms, note="", actor="user:fina", now=clock.now())
    assert isinstance(made, FeeRule)
    return rule_trials.try_fee(made, now=clock.now())


def test_a_pay_in_fee_is_tried_on_collections_with_the_difference_in_money(psp: Psp) -> None:
    found = tried(fee("extra", flow="payin", fixed_minor=30))
    assert [(line.payment.amount.minor, line.before, line.after) for line in found.lines] == [
        (20, Money(0, "EUR"), Money(0, "EUR")),  # a fee as large as the amount is waived, as it is when it is booked
        (4_000, Money(43, "EUR"), Money(73, "EUR")),
        (10_000, Money(107, "EUR"), Money(137, "EUR")),
    ]
    assert (found.lines[-1].payment.charged.minor, found.difference, found.changed) == (107, Money(60, "EUR"), 2)
    assert {(line.payment.channel, line.payment.flow) for line in found.lines} == {("psp", "payin")}


@pytest.mark.parametrize(("flow", "amount"), [("payin_refund", 3_000), ("payin_chargeback", 1_000)])
def test_what_is_given_or_taken_back_is_tried_on_its_own_kind(flow: str, amount: int, psp: Psp) -> None:
    found = tried(fee("back", flow=flow, fixed_minor=150))
    ((line,)) = found.lines
    assert (line.payment.amount.minor, line.before, line.after) == (amount, Money(0, "EUR"), Money(150, "EUR"))


def test_a_rule_of_another_operator_is_tried_on_nothing(psp: Psp) -> None:
    assert tried(fee("extra", flow="payin", operator_id=operator("rival").pk, fixed_minor=30)).lines == []


def test_a_provider_is_the_channel_of_its_pay_ins_and_the_wallet_is_what_a_condition_asks(psp: Psp) -> None:
    shop = PayIn.objects.filter(kind="collected").values_list("wallet", flat=True)[0]
    own = f"payee == '{shop}' && payee_kind == 'merchant' && channel == 'psp'"
    in_force(fee("own", flow="payin", channel="psp", fixed_minor=7, condition=own), code="own")
    in_force(fee("own", flow="payin_refund", channel="psp", fixed_minor=9, condition="payer != ''"), code="own-back")
    psp.collects(Wallet.objects.get(reference=shop), "50.00", transaction="txn_6")
    psp.gives_back("20.00", of="txn_6", transaction="txn_7")
    collected, refunded = PayIn.objects.order_by("-pk")[:2][::-1]
    assert [item["amount"] for item in collected.fee_items if item["name"] == "own"] == ["0.07"]
    assert [item["amount"] for item in refunded.fee_items if item["name"] == "own"] == ["0.09"]
    found = tried(fee("more", flow="payin", channel="psp", fixed_minor=1, condition=own))
    assert [line.difference for line in found.lines] == [Money(1, "EUR")] * 4, "none of a refund"


@pytest.mark.parametrize(("flow", "channel"), [("payin", "promptpay"), ("payin", "nobody"), ("transfer", "psp")])
def test_a_channel_that_its_flow_does_not_have_is_refused(psp: Psp, flow: str, channel: str) -> None:
    with pytest.raises(Malformed) as refused:
        fee("x", flow=flow, channel=channel, fixed_minor=1).check()
    assert list(refused.value.errors) == ["channel"]


def test_what_paid_nothing_is_not_among_the_last_payments(till: Till) -> None:
    alice, bob = till.wallet("alice", funds=100_000), till.wallet("bob")
    paid = till.pay(alice, bob, "10.00")
    planned = till.schedule(alice, bob, "10.00", at=clock.now() + timedelta(days=1))
    more = fee("extra", flow="transfer", asset="THB", fixed_minor=5)
    assert [line.payment.reference for line in tried(more).lines] == [planned.reference, paid.reference]
    till.cancel(planned)
    found = tried(more)
    assert ([line.payment.reference for line in found.lines], found.difference) == ([paid.reference], Money(5, "THB"))
