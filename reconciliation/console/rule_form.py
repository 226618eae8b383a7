"""The form of a rule: what people type, read into terms, and terms written as people type them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from ledger import assets, money
from ledger.assets import UnknownAsset, named
from ledger.controls.refusals import Malformed
from wallets.models import FeeRule, LimitRule, Operator
from wallets.rule_terms import FeeTerms, LimitTerms, Terms, Tier

Form = Mapping[str, str]

EVERY_OPERATOR: Final = "every operator"
_MOMENT: Final = "%Y-%m-%d %H:%M"
_ABOVE: Final = "above"


class Reader:
    """Reads fields one by one and keeps what is off with each, so that a form is answered once with everything."""

    def __init__(self, form: Form) -> None:
        self._form = form
        self.errors: dict[str, list[str]] = {}

    def text(self, name: str) -> str:
        return self._form.get(name, "").strip()

    def whole(self, name: str, *, empty: int = 0) -> int:
        text = self.text(name)
        if not text:
            return empty
        if not (text.isascii() and text.isdigit() and len(text) <= 6):
            self.errors[name] = ["A whole number is needed."]
            return empty
        return int(text)

    def minor(self, name: str, *, empty: int | None = 0) -> int | None:
        """Read an amount in major units of the form's asset."""
        text = self.text(name)
        if not text:
            return empty
        try:
            return money.parse(text, named(self.text("asset"))).minor
        except (money.InvalidAmount, UnknownAsset) as error:
            self.errors[name] = [str(error)]
            return empty

    def moment(self, name: str) -> datetime | None:
        text = self.text(name)
        if not text:
            return None
        try:
            return datetime.strptime(text, _MOMENT).replace(tzinfo=UTC)
        except ValueError:
            self.errors[name] = ["YYYY-MM-DD HH:MM, in UTC."]
            return None

    def operator(self) -> int | None:
        slug = self.text("operator")
        if slug in ("", EVERY_OPERATOR):
            return None
        found = Operator.objects.filter(slug=slug).values_list("pk", flat=True).first()
        if found is None:
            self.errors["operator"] = ["There is no such operator."]
        return found

    def tiers(self) -> tuple[Tier, ...]:
        """Read one tier a line: up to which amount (the last: above), fixed fee, basis points."""
        read = []
        for line in self.text("tiers").splitlines()[:100]:
            words = line.split()
            if not words:
                continue
            try:
                upto, fixed, basis_points = words
                asset = named(self.text("asset"))
                end = None if upto == _ABOVE else money.parse(upto, asset).minor
                if not (basis_points.isascii() and basis_points.isdigit() and len(basis_points) <= 6):
                    raise ValueError("basis points are a whole number")
                read.append(Tier(end, money.parse(fixed, asset).minor, int(basis_points)))
            except (ValueError, UnknownAsset) as error:
                self.errors["tiers"] = [f"“{line[:40]}”: an amount (or “{_ABOVE}”), a fixed fee, basis points. {error}"]
                break
        return tuple(read)


def read(kind: str, form: Form) -> Terms:
    """Return the terms that a form says. Raises Malformed with an error for each field that is off."""
    reader = Reader(form)
    common = {"name": reader.text("name"), "asset": reader.text("asset"), "channel": reader.text("channel")}
    operator_id, priority = reader.operator(), reader.whole("priority", empty=100)
    valid_from, valid_until = reader.moment("valid_from"), reader.moment("valid_until")
    terms: Terms
    if kind == LimitRule.MACHINE:
        terms = LimitTerms(
            **common,
            flow=reader.text("flow"),
            operator_id=operator_id,
            priority=priority,
            valid_from=valid_from,
            valid_until=valid_until,
            scope=reader.text("scope"),
            period=reader.text("period"),
            cap_minor=reader.minor("cap") or 0,
        )
        if not reader.text("cap"):
            reader.errors["cap"] = ["A cap is needed."]
    else:
        terms = FeeTerms(
            **common,
            flow=reader.text("flow"),
            operator_id=operator_id,
            priority=priority,
            valid_from=valid_from,
            valid_until=valid_until,
            phase=reader.text("phase"),
            fixed_minor=reader.minor("fixed") or 0,
            basis_points=reader.whole("basis_points"),
            tiers=reader.tiers(),
            minimum_minor=reader.minor("minimum") or 0,
            maximum_minor=reader.minor("maximum", empty=None),
            vat_basis_points=reader.whole("vat_basis_points"),
            condition=reader.text("condition").replace("\r\n", "\n"),
        )
    if reader.errors:
        raise Malformed("The rule is malformed.", errors=reader.errors)
    return terms


def written(rule: FeeRule | LimitRule) -> dict[str, str]:
    """Return what a version says as the form's fields: amounts in major units, moments in UTC."""
    fields = {
        "name": rule.name,
        "flow": rule.flow,
        "channel": rule.channel,
        "asset": rule.asset,
        "operator": _operator(rule.operator_id),
        "priority": str(rule.priority),
        "valid_from": rule.valid_from.astimezone(UTC).strftime(_MOMENT) if rule.valid_from else "",
        "valid_until": rule.valid_until.astimezone(UTC).strftime(_MOMENT) if rule.valid_until else "",
    }
    if isinstance(rule, LimitRule):
        return {**fields, "scope": rule.scope, "period": rule.period, "cap": _major(rule.cap_minor, rule.asset)}
    return {
        **fields,
        "phase": rule.phase,
        "fixed": _major(rule.fixed_minor, rule.asset),
        "basis_points": str(rule.basis_points),
        "tiers": "\n".join(
            f"{_ABOVE if tier['up_to_minor'] is None else _major(tier['up_to_minor'], rule.asset)}"
            f" {_major(tier['fixed_minor'], rule.asset)} {tier['basis_points']}"
            for tier in rule.tiers
        ),
        "minimum": _major(rule.minimum_minor, rule.asset),
        "maximum": "" if rule.maximum_minor is None else _major(rule.maximum_minor, rule.asset),
        "vat_basis_points": str(rule.vat_basis_points),
        "condition": rule.condition,
    }


def _major(minor: object, asset: str) -> str:
    return assets.text(int(str(minor)), asset)


def _operator(operator_id: int | None) -> str:
    if operator_id is None:
        return EVERY_OPERATOR
    return Operator.objects.filter(pk=operator_id).values_list("slug", flat=True).first() or str(operator_id)
