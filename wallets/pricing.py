"""Fees of one payment, by the rules that are active now: itemised, each rounded half up at its rule, VAT of the rounded fee.

1 take the active rules of the flow, asset, channel and operator that are valid now
2 of each item name try them in order: lowest priority, an operator's own, a channel's own
3 the first whose condition holds prices the item; one that cannot be answered refuses the payment
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from ledger import assets
from ledger.controls.refusals import Refusal
from ledger.money import Money, Rounding, divide
from wallets import conditions, rule_failures
from wallets.conditions import Fact
from wallets.rule_models import FeeRule, Rule

PRE: Final = FeeRule.Phase.PRE.value
POST: Final = FeeRule.Phase.POST.value
ANY_FLOW: Final = "any"
"""A limit's flow where it counts every flow together."""
_WHOLE: Final = 10_000  # basis points

AnyRule = TypeVar("AnyRule", bound=Rule)


class FeesExceedAmount(Refusal):
    """The fees taken out of it are as large as the amount."""

    code = "fees_exceed_amount"


@dataclass(frozen=True, slots=True)
class FeeItem:
    """One fee with its VAT, in the asset of the amount it was taken of, and the rule's version that priced it."""

    name: str
    rule: str
    version: int
    phase: str
    fee: Money
    vat: Money

    def as_json(self) -> dict[str, str | int]:
        """Return the item as rows keep it: amounts are decimal strings in major units."""
        return {
            "name": self.name,
            "rule": self.rule,
            "version": self.version,
            "phase": self.phase,
            "amount": assets.text(self.fee.minor, self.fee.asset),
            "vat": assets.text(self.vat.minor, self.vat.asset),
            "asset": self.fee.asset,
        }


@dataclass(frozen=True, slots=True)
class Priced:
    """What a payment's fees are: PRE on top of the debit, POST out of the credit."""

    amount: Money
    items: tuple[FeeItem, ...]

    _sums: tuple[int, int, int, int] = field(init=False, repr=False, compare=False)
    """Fee and VAT of PRE, fee and VAT of POST, in minor units."""

    def __post_init__(self) -> None:
        sums = [0, 0, 0, 0]
        for item in self.items:
            place = 0 if item.phase == PRE else 2
            sums[place] += item.fee.minor
            sums[place + 1] += item.vat.minor
        object.__setattr__(self, "_sums", tuple(sums))

    @property
    def pre_fee(self) -> Money:
        return self._money(self._sums[0])

    @property
    def pre_vat(self) -> Money:
        return self._money(self._sums[1])

    @property
    def post_fee(self) -> Money:
        return self._money(self._sums[2])

    @property
    def post_vat(self) -> Money:
        return self._money(self._sums[3])

    @property
    def fee(self) -> Money:
        """Ours in all, without VAT."""
        return self._money(self._sums[0] + self._sums[2])

    @property
    def vat(self) -> Money:
        return self._money(self._sums[1] + self._sums[3])

    @property
    def debit(self) -> Money:
        """What the payer gives: the amount and what comes on top of it."""
        return self._money(self.amount.minor + self._sums[0] + self._sums[1])

    @property
    def credit(self) -> Money:
        """What is received: the amount less what is taken out of it."""
        return self._money(self.amount.minor - self._sums[2] - self._sums[3])

    def _money(self, minor: int) -> Money:
        return Money(minor, self.amount.asset)


def price(
    *,
    environment: str,
    operator_id: int,
    flow: str,
    channel: str,
    amount: Money,
    facts: Mapping[str, Fact],
    now: datetime,
) -> Priced:
    """Price a payment by the rules in force at `now`; `facts` are of `conditions.FACTS`, as far as the flow knows them.

    Raises FeesExceedAmount or ConditionFailed.
    """
    rules = standing(environment=environment, flow=flow, asset=amount.asset)
    return price_with(rules, operator_id=operator_id, flow=flow, channel=channel, amount=amount, facts=facts, now=now)


def standing(*, environment: str, flow: str, asset: str) -> list[FeeRule]:
    """Return the active fee rules of a flow and asset, of every operator and channel."""
    return list(FeeRule.objects.filter(environment=environment, flow=flow, asset=asset, state=FeeRule.State.ACTIVE))


def price_with(
    rules: Iterable[FeeRule],
    *,
    operator_id: int,
    flow: str,
    channel: str,
    amount: Money,
    facts: Mapping[str, Fact],
    now: datetime,
    trial: bool = False,
) -> Priced:
    """Price a payment by given rules, whatever their state. A trial has a draft among them, and alarms nobody."""
    ordered = in_order(rules, operator_id=operator_id, flow=flow, channel=channel, asset=amount.asset, now=now)
    return price_in_order(ordered, flow=flow, channel=channel, amount=amount, facts=facts, trial=trial)


def price_in_order(
    rules: Sequence[FeeRule],
    *,
    flow: str,
    channel: str,
    amount: Money,
    facts: Mapping[str, Fact],
    trial: bool = False,
) -> Priced:
    """Price a payment by the rules that are about it, as `in_order` has them: one order for all payments of a list."""
    known = {**facts, "amount_minor": amount.minor, "asset": amount.asset, "flow": flow, "channel": channel}
    chosen: dict[str, FeeRule] = {}
    for rule in rules:
        if rule.name not in chosen and (rule.condition == "" or _holds(rule, known, trial=trial)):
            chosen[rule.name] = rule
    priced = Priced(amount, tuple(_item(rule, amount) for _, rule in sorted(chosen.items())))
    if priced.credit.minor <= 0:
        raise FeesExceedAmount
    return priced


def in_order(
    rules: Iterable[AnyRule], *, operator_id: int, flow: str, channel: str, asset: str, now: datetime
) -> Sequence[AnyRule]:
    """Return the rules that are about such a payment and valid now, in the order in which they are tried."""
    about = [
        rule
        for rule in rules
        if rule.asset == asset
        and rule.flow in (flow, ANY_FLOW)
        and rule.channel in ("", channel)
        and rule.operator_id in (None, operator_id)
        and (rule.valid_from is None or rule.valid_from <= now)
        and (rule.valid_until is None or now < rule.valid_until)
    ]
    return sorted(about, key=lambda rule: (rule.priority, rule.operator_id is None, rule.channel == "", rule.code))


def fee_of(rule: FeeRule, amount: Money) -> Money:
    """Return a rule's fee of an amount: the share rounded half up, the sum kept within minimum and maximum."""
    fixed, basis_points = _terms(rule, amount.minor)
    fee = fixed + divide(amount.minor * basis_points, _WHOLE, Rounding.HALF_UP)
    fee = max(fee, int(rule.minimum_minor))
    if rule.maximum_minor is not None:
        fee = min(fee, int(rule.maximum_minor))
    return Money(fee, amount.asset)


def _item(rule: FeeRule, amount: Money) -> FeeItem:
    fee = fee_of(rule, amount)
    vat = divide(fee.minor * rule.vat_basis_points, _WHOLE, Rounding.HALF_UP)
    return FeeItem(rule.name, rule.code, rule.number, rule.phase, fee, Money(vat, amount.asset))


def _terms(rule: FeeRule, minor: int) -> tuple[int, int]:
    """Return fixed minor units and basis points: the rule's own, or those of the tier that the amount falls into."""
    for tier in rule.tiers:
        if tier["up_to_minor"] is None or minor <= int(tier["up_to_minor"]):
            return int(tier["fixed_minor"]), int(tier["basis_points"])
    return int(rule.fixed_minor), rule.basis_points


def _holds(rule: FeeRule, facts: Mapping[str, Fact], *, trial: bool) -> bool:
    try:
        return conditions.holds(rule.condition, facts)
    except conditions.ConditionFailed as refusal:
        if trial:
            raise
        rule_failures.record(rule, reason=str(refusal.fields.get("reason")))
        refusal.fields = {}  # which rule it was is ours to know
        raise
