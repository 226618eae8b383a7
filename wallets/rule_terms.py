"""What a rule may say, read strictly: from a form, a command or a row, before it is written down and before it is proposed."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from ledger.assets import UnknownAsset, named
from ledger.controls.refusals import Malformed
from ledger.money import MAXIMUM_MINOR
from wallets import conditions
from wallets.models import Operator
from wallets.pricing import ANY_FLOW
from wallets.rule_models import FeeRule, LimitRule
from webhooks import providers

FLOWS: Final = ("transfer", "payout", "payin", "payin_refund", "payin_chargeback", "buy", "sell", "redemption")
PRE_FLOWS: Final = ("transfer", "payout", "payin_refund", "payin_chargeback")
"""Where somebody pays on top: of the others the fee comes out of the amount."""
PAY_IN_FLOWS: Final = ("payin", "payin_refund", "payin_chargeback")
"""Their channel is the provider that tells of them, by its code."""
CHANNELS: Final = ("internal", "promptpay", "bank_transfer")
MOST_TIERS: Final = 20
_CODE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,59}", re.ASCII)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
_MOST_BASIS_POINTS: Final = 10_000
_LAST_PRIORITY: Final = 9_999
_LARGEST_COUNTED_SCALE: Final = 9
"""Nine thousand million whole units are below 2^63 minor ones at this scale, and nine whole units above it (of 18)."""


@dataclass(frozen=True, slots=True)
class Tier:
    """Amounts up to this many minor units (None: every larger one) cost a fixed fee and basis points."""

    up_to_minor: int | None
    fixed_minor: int
    basis_points: int

    def as_json(self) -> dict[str, Any]:
        return {
            "up_to_minor": None if self.up_to_minor is None else str(self.up_to_minor),
            "fixed_minor": str(self.fixed_minor),
            "basis_points": self.basis_points,
        }


@dataclass(frozen=True, slots=True)
class FeeTerms:
    """Everything that a version of a fee rule says, in minor units of its asset."""

    name: str
    flow: str
    asset: str
    phase: str = FeeRule.Phase.POST.value
    channel: str = ""
    operator_id: int | None = None
    priority: int = 100
    fixed_minor: int = 0
    basis_points: int = 0
    tiers: tuple[Tier, ...] = ()
    minimum_minor: int = 0
    maximum_minor: int | None = None
    vat_basis_points: int = 0
    condition: str = ""
    valid_from: datetime | None = None
    valid_until: datetime | None = None

    def check(self) -> None:
        """Raise Malformed, naming each field that may not be so, or ConditionRefused."""
        errors = _common_errors(self, flows=FLOWS)
        if self.phase not in FeeRule.Phase.values:
            errors["phase"] = ["PRE or POST."]
        elif self.phase == FeeRule.Phase.PRE and self.flow not in PRE_FLOWS:
            errors["phase"] = [f"Nobody pays on top of a {self.flow}: POST."]
        _bound(errors, "fixed_minor", self.fixed_minor)
        _bound(errors, "minimum_minor", self.minimum_minor)
        if self.maximum_minor is not None:
            _bound(errors, "maximum_minor", self.maximum_minor)
            if self.maximum_minor < self.minimum_minor:
                errors["maximum_minor"] = ["The maximum is below the minimum."]
        for name in ("basis_points", "vat_basis_points"):
            if not 0 <= getattr(self, name) <= _MOST_BASIS_POINTS:
                errors[name] = [f"0 to {_MOST_BASIS_POINTS}."]
        if self.tiers:
            errors |= _tier_errors(self.tiers)
            if self.fixed_minor or self.basis_points:
                errors["tiers"] = ["Tiers stand instead of a fixed fee and basis points."]
        if errors:
            raise Malformed("The rule is malformed.", errors=errors)
        if self.condition:
            conditions.check(self.condition)
            self._refuse_uncountable()

    def _refuse_uncountable(self) -> None:
        """Refuse to calculate with amounts that are usual in the asset and more than a condition can count."""
        if named(self.asset).scale > _LARGEST_COUNTED_SCALE and not conditions.compares_amounts_only(self.condition):
            message = (
                f"Amounts of {self.asset} are beyond what a condition can calculate with: it may only compare amount_minor"
                " with numbers. Fees by amount are tiers."
            )
            raise Malformed("The rule is malformed.", errors={"condition": [message]})

    def as_columns(self) -> dict[str, Any]:
        """Return the columns of the row."""
        return {
            **asdict(self),
            "tiers": [tier.as_json() for tier in self.tiers],
            "fixed_minor": Decimal(self.fixed_minor),
            "minimum_minor": Decimal(self.minimum_minor),
            "maximum_minor": None if self.maximum_minor is None else Decimal(self.maximum_minor),
        }


@dataclass(frozen=True, slots=True)
class LimitTerms:
    """Everything that a version of a limit rule says, in minor units of its asset."""

    name: str
    asset: str
    scope: str
    period: str
    cap_minor: int
    flow: str = ANY_FLOW
    channel: str = ""
    operator_id: int | None = None
    priority: int = 100
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    condition: str = field(default="", init=False)

    def check(self) -> None:
        """Raise Malformed, naming each field that may not be so."""
        errors = _common_errors(self, flows=(ANY_FLOW, *PRE_FLOWS))
        if self.scope not in LimitRule.Scope.values:
            errors["scope"] = ["wallet or operator."]
        if self.period not in LimitRule.Period.values:
            errors["period"] = ["transaction or day."]
        _bound(errors, "cap_minor", self.cap_minor)
        if errors:
            raise Malformed("The rule is malformed.", errors=errors)

    def as_columns(self) -> dict[str, Any]:
        """Return the columns of the row."""
        columns = {**asdict(self), "cap_minor": Decimal(self.cap_minor)}
        del columns["condition"]
        return columns


Terms = FeeTerms | LimitTerms


def terms_of(rule: FeeRule | LimitRule) -> Terms:
    """Return what a stored version says."""
    common: Mapping[str, Any] = {
        "name": rule.name,
        "flow": rule.flow,
        "asset": rule.asset,
        "channel": rule.channel,
        "operator_id": rule.operator_id,
        "priority": rule.priority,
        "valid_from": rule.valid_from,
        "valid_until": rule.valid_until,
    }
    if isinstance(rule, LimitRule):
        return LimitTerms(**common, scope=rule.scope, period=rule.period, cap_minor=int(rule.cap_minor))
    return FeeTerms(
        **common,
        phase=rule.phase,
        fixed_minor=int(rule.fixed_minor),
        basis_points=rule.basis_points,
        tiers=tuple(
            Tier(
                None if tier["up_to_minor"] is None else int(tier["up_to_minor"]),
                int(tier["fixed_minor"]),
                int(tier["basis_points"]),
            )
            for tier in rule.tiers
        ),
        minimum_minor=int(rule.minimum_minor),
        maximum_minor=None if rule.maximum_minor is None else int(rule.maximum_minor),
        vat_basis_points=rule.vat_basis_points,
        condition=rule.condition,
    )


def channels_of_pay_ins() -> list[str]:
    """Return the codes of the providers that may tell of pay-ins, in order."""
    return providers.bringing("payin.collected")


def checked_code(code: str) -> str:
    """Return a rule's code. Raises Malformed."""
    if not _CODE.fullmatch(code):
        message = "1 to 60 of the characters a-z 0-9 . _ -"
        raise Malformed(f"The rule's code is {message}.", errors={"code": [message]})
    return code


def _common_errors(terms: Terms, *, flows: tuple[str, ...]) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    if not _NAME.fullmatch(terms.name):
        errors["name"] = ["Begins with a letter; a-z 0-9 _, at most 40."]
    if terms.flow not in flows:
        errors["flow"] = [f"Not one of: {', '.join(flows)}."]
    if terms.flow in PAY_IN_FLOWS and terms.channel and terms.channel not in channels_of_pay_ins():
        errors["channel"] = ["Empty, or the code of a provider that tells of pay-ins."]
    if terms.flow not in PAY_IN_FLOWS and terms.channel not in ("", *CHANNELS):
        errors["channel"] = [f"Empty, or one of: {', '.join(CHANNELS)}."]
    if not 0 <= terms.priority <= _LAST_PRIORITY:
        errors["priority"] = [f"0 to {_LAST_PRIORITY}."]
    if terms.valid_from and terms.valid_until and terms.valid_until <= terms.valid_from:
        errors["valid_until"] = ["It ends before it begins."]
    try:
        named(terms.asset)
    except UnknownAsset as refusal:
        errors["asset"] = [refusal.message]
    if terms.operator_id is not None and not Operator.objects.filter(pk=terms.operator_id).exists():
        errors["operator_id"] = ["There is no such operator."]
    return errors


def _tier_errors(tiers: tuple[Tier, ...]) -> dict[str, list[str]]:
    if len(tiers) > MOST_TIERS:
        return {"tiers": [f"At most {MOST_TIERS} tiers."]}
    if tiers[-1].up_to_minor is not None or any(tier.up_to_minor is None for tier in tiers[:-1]):
        return {"tiers": ["The last tier, and no other, is for every larger amount."]}
    ends = [tier.up_to_minor for tier in tiers[:-1] if tier.up_to_minor is not None]
    if ends != sorted(set(ends)) or any(not 0 < end <= MAXIMUM_MINOR for end in ends):
        return {"tiers": ["Each tier ends above the one before it."]}
    if any(
        not 0 <= tier.fixed_minor <= MAXIMUM_MINOR or not 0 <= tier.basis_points <= _MOST_BASIS_POINTS for tier in tiers
    ):
        return {"tiers": [f"A fixed fee of 0 or more and 0 to {_MOST_BASIS_POINTS} basis points each."]}
    return {}


def _bound(errors: dict[str, list[str]], name: str, minor: int) -> None:
    if not 0 <= minor <= MAXIMUM_MINOR:
        errors[name] = ["0 or more, and not beyond what an amount can be."]
