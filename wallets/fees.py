"""Fees: versioned rows, fixed and basis points, itemised; each rounded half up at its rule, VAT of the rounded fee."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Q

from ledger.money import Money, Rounding, divide
from wallets.models import FeeRule

_WHOLE = 10_000  # basis points


@dataclass(frozen=True, slots=True)
class FeeItem:
    """One fee with its VAT, in the asset of the amount it was taken of."""

    name: str
    version: int
    fee: Money
    vat: Money


def price(*, environment: str, operator_id: int, flow: str, amount: Money, now: datetime) -> list[FeeItem]:
    """Return the fee items of a flow on an amount, by the rules in force at `now`; an operator's own come first."""
    rules = (
        FeeRule.objects.filter(environment=environment, flow=flow, asset=amount.asset, active_from__lte=now)
        .filter(Q(active_until__isnull=True) | Q(active_until__gt=now))
        .filter(Q(operator_id=operator_id) | Q(operator_id__isnull=True))
        .order_by("name", "version")
    )
    chosen: dict[str, FeeRule] = {}
    for rule in rules:
        kept = chosen.get(rule.name)
        if kept is None or kept.operator_id is None or rule.operator_id is not None:
            chosen[rule.name] = rule
    return [_item(rule, amount) for _, rule in sorted(chosen.items())]


def _item(rule: FeeRule, amount: Money) -> FeeItem:
    share = divide(amount.minor * rule.basis_points, _WHOLE, Rounding.HALF_UP)
    fee = int(rule.fixed_minor) + share
    vat = divide(fee * rule.vat_basis_points, _WHOLE, Rounding.HALF_UP)
    return FeeItem(rule.name, rule.version, Money(fee, amount.asset), Money(vat, amount.asset))


def total(items: Sequence[FeeItem], asset: str) -> tuple[Money, Money]:
    """Return the sums of the rounded fees and of the rounded VAT."""
    return (
        Money(sum(item.fee.minor for item in items), asset),
        Money(sum(item.vat.minor for item in items), asset),
    )


def install_first_version(
    *,
    environment: str,
    flow: str,
    name: str,
    asset: str,
    fixed_minor: int,
    basis_points: int,
    vat_basis_points: int,
    now: datetime,
) -> None:
    """Insert version 1 of a rule for every operator, unless some version of it exists."""
    FeeRule.objects.get_or_create(
        environment=environment,
        operator=None,
        flow=flow,
        name=name,
        asset=asset,
        version=1,
        defaults={
            "fixed_minor": Decimal(fixed_minor),
            "basis_points": basis_points,
            "vat_basis_points": vat_basis_points,
            "active_from": now,
        },
    )
