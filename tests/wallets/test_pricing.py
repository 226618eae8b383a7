"""What a payment's fees are, to the minor unit: both examples of OneWallet, rounding, VAT, tiers, order, conditions."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import pytest
from django.db import transaction as db_transaction
from django.test import Client

from ledger.controls.refusals import Malformed
from ledger.environments import Environment
from ledger.money import Money
from tests.wallets.people import operator
from tests.wallets.rules import fee, in_force
from wallets import conditions, pricing, rule_failures
from wallets.conditions import ConditionFailed, Fact
from wallets.models import FeeRule, RuleFailure
from wallets.pricing import Priced
from wallets.rule_terms import FeeTerms, Tier

pytestmark = pytest.mark.usefixtures("database")

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def _price(
    minor: int,
    *,
    asset: str = "THB",
    flow: str = "transfer",
    channel: str = "internal",
    now: datetime = NOW,
    **facts: Fact,
) -> Priced:
    return pricing.price(
        environment=Environment.TEST,
        operator_id=operator().pk,
        flow=flow,
        channel=channel,
        amount=Money(minor, asset),
        facts=facts,
        now=now,
    )


def test_sender_pays_on_top_when_the_fee_is_pre() -> None:
    """User sends ฿1,000 → debit = ฿1,005 (฿5 fee added); recipient receives ฿1,000."""
    in_force(fee(asset="THB", phase="PRE", fixed_minor=500))
    priced = _price(100_000)
    assert (priced.debit.minor, priced.credit.minor) == (100_500, 100_000)
    assert (priced.pre_fee.minor, priced.post_fee.minor, priced.vat.minor) == (500, 0, 0)


def test_recipient_pays_from_the_amount_when_the_fee_is_post() -> None:
    """User sends ฿1,000 → debit = ฿1,000; recipient receives ฿950 (฿50 deducted)."""
    in_force(fee(asset="THB", phase="POST", fixed_minor=5_000))
    priced = _price(100_000)
    assert (priced.debit.minor, priced.credit.minor) == (100_000, 95_000)
    assert (priced.pre_fee.minor, priced.post_fee.minor, priced.vat.minor) == (0, 5_000, 0)


def test_nothing_is_charged_when_no_rule_stands() -> None:
    priced = _price(100_000)
    assert priced.items == ()
    assert (priced.debit, priced.credit) == (Money(100_000, "THB"), Money(100_000, "THB"))


class Sum(NamedTuple):
    case: str
    terms: FeeTerms
    minor: int
    fee: int
    vat: int


_TIERS = (Tier(10_000, 150, 0), Tier(100_000, 0, 100), Tier(None, 400, 50))

SUMS = [
    #   case                                   terms                                                  amount  fee   VAT
    Sum("half a unit goes up", fee(asset="THB", basis_points=50), 100, 1, 0),
    Sum("less than half goes down", fee(asset="THB", basis_points=49), 100, 0, 0),
    Sum("fixed and share", fee(asset="THB", fixed_minor=20, basis_points=50), 10_000, 70, 0),
    Sum("VAT of the rounded fee", fee(asset="THB", basis_points=50, vat_basis_points=5_000), 100, 1, 1),
    Sum("VAT of nothing", fee(asset="THB", basis_points=49, vat_basis_points=5_000), 100, 0, 0),
    Sum("VAT's half goes up", fee(asset="THB", fixed_minor=50, vat_basis_points=700), 1_000, 50, 4),
    Sum("at least the minimum", fee(asset="THB", basis_points=10, minimum_minor=300), 10_000, 300, 0),
    Sum("at most the maximum", fee(asset="THB", basis_points=1_000, maximum_minor=700), 10_000, 700, 0),
    Sum("the first tier's last amount", fee(asset="THB", tiers=_TIERS), 10_000, 150, 0),
    Sum("the second tier's first", fee(asset="THB", tiers=_TIERS), 10_001, 100, 0),
    Sum("the second tier's half", fee(asset="THB", tiers=_TIERS), 10_050, 101, 0),
    Sum("the second tier's last", fee(asset="THB", tiers=_TIERS), 100_000, 1_000, 0),
    Sum("the last tier's first", fee(asset="THB", tiers=_TIERS), 100_001, 900, 0),
    Sum("tiers within a maximum", fee(asset="THB", tiers=_TIERS, maximum_minor=900), 1_000_000, 900, 0),
    Sum("more than 64 bits", fee(asset="ETH", basis_points=25), 10**22, 25 * 10**18, 0),
]


@pytest.mark.parametrize("row", SUMS, ids=lambda row: row.case)
def test_fee_is_exact(row: Sum) -> None:
    in_force(row.terms)
    (item,) = _price(row.minor, asset=row.terms.asset).items
    assert (item.fee.minor, item.vat.minor) == (row.fee, row.vat)


def test_each_item_is_rounded_by_itself_when_there_are_several() -> None:
    for name in ("first", "second", "third"):
        in_force(fee(name, asset="THB", basis_points=50, vat_basis_points=5_000, phase="PRE"))
    priced = _price(100)
    assert (priced.pre_fee.minor, priced.pre_vat.minor, priced.debit.minor) == (3, 3, 106)


def test_item_says_which_version_priced_it() -> None:
    in_force(fee(asset="THB", fixed_minor=1), code="house")
    in_force(fee(asset="THB", fixed_minor=2), code="house")
    (item,) = _price(10_000).items
    assert item.as_json() == {
        "name": "fee", "rule": "house", "version": 2, "phase": "POST", "amount": "0.02", "vat": "0.00", "asset": "THB",
    }  # fmt: skip


def test_payment_is_refused_when_the_fees_out_of_it_are_as_large() -> None:
    in_force(fee(asset="THB", fixed_minor=100, vat_basis_points=1_000))
    with pytest.raises(pricing.FeesExceedAmount):
        _price(110)
    assert _price(111).credit.minor == 1


ORDER = [
    # the rules that stand beside {code "general", fee 1}                            the one that prices
    ("lower priority number first", [("urgent", {"priority": 50})], "urgent"),
    ("higher priority number later", [("late", {"priority": 150})], "general"),
    ("an operator's own before everybody's", [("own", {"operator_id": True})], "own"),
    ("priority before an operator's own", [("own", {"operator_id": True, "priority": 101})], "general"),
    ("a channel's own before any channel's", [("inside", {"channel": "internal"})], "inside"),
    ("not another channel's", [("outside", {"channel": "promptpay", "priority": 1})], "general"),
    ("not another flow's", [("payouts", {"flow": "payout", "priority": 1})], "general"),
    ("not before it is valid", [("soon", {"valid_from": NOW + timedelta(seconds=1), "priority": 1})], "general"),
    ("from its first instant", [("since", {"valid_from": NOW, "priority": 1})], "since"),
    ("not at its last instant", [("over", {"valid_until": NOW, "priority": 1})], "general"),
    ("not where its condition does not hold", [("large", {"condition": "amount_minor > 10000", "priority": 1})], "general"),
    ("where its condition holds", [("large", {"condition": "amount_minor >= 10000", "priority": 1})], "large"),
]  # fmt: skip


@pytest.mark.parametrize(("case", "others", "winner"), ORDER, ids=[row[0] for row in ORDER])
def test_one_rule_prices_an_item(case: str, others: list[tuple[str, dict[str, object]]], winner: str) -> None:
    in_force(fee(asset="THB", fixed_minor=1), code="general")
    for code, terms in others:
        if "operator_id" in terms:
            terms = {**terms, "operator_id": operator().pk}
        in_force(fee(asset="THB", **{"fixed_minor": 2, "flow": "transfer", **terms}), code=code)  # type: ignore[arg-type]
    (item,) = _price(10_000).items
    assert item.rule == winner


def test_another_operators_rule_prices_nothing() -> None:
    in_force(fee(asset="THB", fixed_minor=1, operator_id=operator("rival").pk))
    assert _price(10_000).items == ()


def test_payment_is_refused_when_a_condition_cannot_be_answered() -> None:
    """Fails closed: the rule is neither skipped nor taken for true."""
    in_force(fee(asset="THB", fixed_minor=1), code="general")
    in_force(fee(asset="THB", condition="100000 / (amount_minor - 500) > 1", priority=1), code="broken")
    assert _price(600).items[0].rule == "broken"
    with pytest.raises(ConditionFailed) as caught:
        _price(500)
    assert caught.value.fields == {}, "which rule it was is ours to know"
    assert not caught.value.kept, "the key stays free: the same request may come again once the rule is mended"
    with pytest.raises(ConditionFailed), db_transaction.atomic():
        _price(500)
    failure = RuleFailure.objects.get()
    assert (failure.code, failure.number, failure.failures, failure.reason) == ("broken", 1, 2, "ZeroDivisionError")
    assert 'holdfast_fee_rule_failures{environment="test",rule="broken",version="1"} 2' in (
        Client().get("/metrics").content.decode()
    ), "counted although each payment's transaction rolled back"


@pytest.mark.parametrize(
    ("condition", "small", "large"),
    [
        ("amount_minor > 5", True, True),
        ("amount_minor <= 9223372036854775806", True, False),
        ("9000000000000000000 < amount_minor && asset == 'ETH'", False, True),
        ("payer in ['a'] || amount_minor in [7, 8] || amount_minor == 9223372036854775806", False, False),
        ("!(amount_minor < 10) ? bulk : amount_minor != 3", False, False),
    ],
)
def test_any_amount_of_the_ledger_is_compared_exactly(condition: str, small: bool, large: bool) -> None:
    in_force(fee(asset="ETH", condition=condition))
    found = [len(_price(minor, asset="ETH").items) == 1 for minor in (10**6, 2**63 - 1, 2**63, 2**64, 2**100)]
    assert found == [small, large, large, large, large]


def test_payment_is_refused_when_an_amount_is_beyond_what_a_condition_can_calculate_with() -> None:
    in_force(fee(asset="THB", condition="amount_minor % 2 == 0"))
    assert len(_price(2**63 - 2, asset="THB").items) == 1
    with pytest.raises(ConditionFailed):
        _price(2**63, asset="THB")


@pytest.mark.parametrize(
    "condition",
    ["amount_minor % 2 == 0", "amount_minor + 1 > 5", "5 < 1 + amount_minor", "amount_minor > 9223372036854775807",
     "-1 < -amount_minor", "amount_minor in [amount_minor]", "payer == 'a' || 2 * 3 < amount_minor * 2"],
)  # fmt: skip
def test_rule_is_refused_when_it_calculates_with_amounts_that_are_too_large_for_it(condition: str) -> None:
    assert not conditions.compares_amounts_only(condition)
    with pytest.raises(Malformed) as caught:
        in_force(fee(asset="ETH", condition=condition))
    assert "may only compare amount_minor" in caught.value.errors["condition"][0]
    assert not FeeRule.objects.exists()


def test_failures_of_a_list_are_counted_at_its_end_on_one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    in_force(fee(asset="THB", condition="100000 / (amount_minor - 500) > 1"), code="broken")
    opened = []

    def connect(*given: Any, **options: Any) -> Any:
        opened.append(given)
        return really(*given, **options)

    really = psycopg.connect
    monkeypatch.setattr("wallets.rule_failures.psycopg.connect", connect)
    with rule_failures.gathered():
        for _ in range(3):
            with pytest.raises(ConditionFailed):
                _price(500)
        assert not RuleFailure.objects.exists()
    assert RuleFailure.objects.get().failures == 3
    assert len(opened) == 1
