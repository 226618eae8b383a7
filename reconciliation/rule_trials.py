"""Dry runs of rules: what a version would have done to the last payments, beside what stands, with the difference in money.

Fee rules of transfers and payouts are tried on intents, those of pay-ins, refunds and chargebacks on what providers told us,
those of buys, sells and redemptions on quotes; limits on intents. Intents that failed or were cancelled paid nothing, and are
left out. A payment does not keep whether it came in a list, so `bulk` is false here. Nothing is written.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledger.controls.refusals import Refusal
from ledger.money import Money
from orders.models import Intent, PayIn, Quote
from orders.pay_ins.hearing import FLOWS as PAY_IN_FLOWS
from orders.pay_ins.hearing import facts as pay_in_facts
from wallets import limits, pricing
from wallets.conditions import Fact
from wallets.limits import day_of
from wallets.models import FeeRule, LimitRule, Wallet
from wallets.pricing import ANY_FLOW

MOST: Final = 100
_PAID_NOTHING: Final = (Intent.State.FAILED, Intent.State.CANCELLED)


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment of the past, as far as rules look at it. `charged` is what it was charged then, fees and VAT."""

    reference: str
    at: datetime
    operator_id: int
    flow: str
    channel: str
    amount: Money
    charged: Money
    payer: str
    facts: Mapping[str, Fact]


@dataclass(frozen=True, slots=True)
class FeeLine:
    """What one payment costs by what stands and with the version tried; None where it is refused, `refused` says why."""

    payment: Payment
    before: Money | None
    after: Money | None
    refused: str = ""

    @property
    def difference(self) -> Money | None:
        return None if self.before is None or self.after is None else self.after - self.before


@dataclass(frozen=True, slots=True)
class FeeTrial:
    """The lines, newest first, and their sums over the payments that both price."""

    asset: str
    lines: Sequence[FeeLine]

    @property
    def before(self) -> Money:
        return self._sum(line.before for line in self.lines if line.difference is not None)

    @property
    def after(self) -> Money:
        return self._sum(line.after for line in self.lines if line.difference is not None)

    @property
    def difference(self) -> Money:
        return self.after - self.before

    @property
    def changed(self) -> int:
        return sum(1 for line in self.lines if line.difference is not None and line.difference.minor != 0)

    @property
    def refused(self) -> int:
        return sum(1 for line in self.lines if line.after is None)

    def _sum(self, parts: Iterable[Money | None]) -> Money:
        return Money(sum(part.minor for part in parts if part is not None), self.asset)


@dataclass(frozen=True, slots=True)
class LimitLine:
    """Whether one payment is within the limit by what stands and with the version tried; `used` counts it if it is."""

    payment: Payment
    before: bool
    after: bool
    used: Money


@dataclass(frozen=True, slots=True)
class LimitTrial:
    """The lines, newest first; `refused` is what would be refused now and was not before, `allowed` the reverse."""

    asset: str
    lines: Sequence[LimitLine]

    @property
    def refused(self) -> Money:
        return self._sum(lambda line: line.before and not line.after)

    @property
    def allowed(self) -> Money:
        return self._sum(lambda line: line.after and not line.before)

    @property
    def changed(self) -> int:
        return sum(1 for line in self.lines if line.before != line.after)

    def _sum(self, counts: Callable[[LimitLine], bool]) -> Money:
        return Money(sum(line.payment.amount.minor for line in self.lines if counts(line)), self.asset)


def try_fee(rule: FeeRule, *, now: datetime, most: int = MOST) -> FeeTrial:
    """Price the last payments of a rule's flow and asset by what stands now, and with this version in its place."""
    before = pricing.standing(environment=rule.environment, flow=rule.flow, asset=rule.asset)
    after = [*(one for one in before if one.code != rule.code), rule]
    lines = []
    for payment in last_payments(rule, most=most):
        cost_before, why_before = _cost(before, payment, now=now)
        cost_after, why_after = _cost(after, payment, now=now)
        lines.append(FeeLine(payment, cost_before, cost_after, why_after or why_before))
    return FeeTrial(rule.asset, lines)


def try_limit(rule: LimitRule, *, now: datetime, most: int = MOST) -> LimitTrial:
    """Run the last payments through this limit as it stands and as this version says, the oldest first.

    Only these payments are counted, so that the first day's sum may begin too low.
    """
    standing = limits.standing(environment=rule.environment, asset=rule.asset)
    same = [one for one in standing if one.name == rule.name]
    payments = list(reversed(last_payments(rule, most=most)))
    before, _ = _walked(same, payments, now=now)
    after, used = _walked([*(one for one in same if one.code != rule.code), rule], payments, now=now)
    lines = [
        LimitLine(payment, was, would, Money(sum_after, rule.asset))
        for payment, was, would, sum_after in zip(payments, before, after, used, strict=True)
    ]
    return LimitTrial(rule.asset, lines[::-1])


def last_payments(rule: FeeRule | LimitRule, *, most: int) -> list[Payment]:
    """Return the newest payments that a rule is about, the newest first."""
    if rule.flow in (Intent.Kind.TRANSFER, Intent.Kind.PAYOUT, ANY_FLOW):
        return _intents(rule, most)
    if rule.flow in PAY_IN_FLOWS.values():
        return _pay_ins(rule, most) if isinstance(rule, FeeRule) else []  # no limit refuses what has happened outside
    if rule.flow in Quote.Side.values:
        return _quotes(rule, most)
    return []


def _intents(rule: FeeRule | LimitRule, most: int) -> list[Payment]:
    rows = Intent.objects.filter(environment=rule.environment, asset=rule.asset).exclude(state__in=_PAID_NOTHING)
    if rule.flow != ANY_FLOW:
        rows = rows.filter(kind=rule.flow)
    if rule.channel:
        rows = rows.filter(channel=rule.channel)
    if rule.operator_id is not None:
        rows = rows.filter(operator_id=rule.operator_id)
    found = list(rows.order_by("-pk")[:most])
    wallets = {name for row in found for name in (row.payer, row.payee) if name}
    kinds = dict(Wallet.objects.filter(reference__in=wallets).values_list("reference", "kind"))
    return [
        Payment(
            reference=row.reference,
            at=row.created_at,
            operator_id=int(row.operator_id or 0),
            flow=row.kind,
            channel=row.channel,
            amount=Money(int(row.amount_minor), row.asset),
            charged=Money(int(row.fee_minor + row.vat_minor), row.asset),
            payer=row.payer,
            facts={
                "payer": row.payer,
                "payer_kind": kinds.get(row.payer, ""),
                "payee": row.payee,
                "payee_kind": kinds.get(row.payee, ""),
                "recipient_bank": str(row.recipient.get("bank_code", "")),
                "scheduled": row.scheduled_for is not None,
            },
        )
        for row in found
    ]


def _pay_ins(rule: FeeRule, most: int) -> list[Payment]:
    """The channel of a pay-in is its provider; its fees are of the gross."""
    kinds = [kind for kind, flow in PAY_IN_FLOWS.items() if flow == rule.flow]
    rows = PayIn.objects.filter(environment=rule.environment, asset=rule.asset, kind__in=kinds)
    if rule.channel:
        rows = rows.filter(provider_code=rule.channel)
    if rule.operator_id is not None:
        rows = rows.filter(operator_id=rule.operator_id)
    found = list(rows.order_by("-pk")[:most])
    wallet_kinds = dict(
        Wallet.objects.filter(reference__in={row.wallet for row in found}).values_list("reference", "kind")
    )
    return [
        Payment(
            reference=row.reference,
            at=row.created_at,
            operator_id=int(row.operator_id or 0),
            flow=rule.flow,
            channel=row.provider_code,
            amount=Money(int(row.gross_minor), row.asset),
            charged=Money(int(row.fee_minor + row.vat_minor), row.asset),
            payer=row.wallet,
            facts=pay_in_facts(row.kind, wallet=row.wallet, wallet_kind=wallet_kinds.get(row.wallet, "")),
        )
        for row in found
    ]


def _quotes(rule: FeeRule | LimitRule, most: int) -> list[Payment]:
    """Fees of quotes are of the wallet's side, gross: what a buy debits, what a sell brings before they are taken."""
    buys = rule.flow == Quote.Side.BUY
    rows = Quote.objects.filter(environment=rule.environment, side=rule.flow)
    rows = rows.filter(source_asset=rule.asset) if buys else rows.filter(target_asset=rule.asset)
    if rule.operator_id is not None:
        rows = rows.filter(operator_id=rule.operator_id)
    made = []
    for row in rows.order_by("-pk")[:most]:
        charged = int(row.fee_minor + row.vat_minor)
        gross = int(row.source_minor) if buys else int(row.target_minor) + charged
        made.append(
            Payment(
                reference=row.reference,
                at=row.created_at,
                operator_id=int(row.operator_id or 0),
                flow=row.side,
                channel="",
                amount=Money(gross, rule.asset),
                charged=Money(charged, rule.asset),
                payer="",
                facts={},
            )
        )
    return made


def _cost(rules: Sequence[FeeRule], payment: Payment, *, now: datetime) -> tuple[Money | None, str]:
    try:
        priced = pricing.price_with(
            rules,
            operator_id=payment.operator_id,
            flow=payment.flow,
            channel=payment.channel,
            amount=payment.amount,
            facts=payment.facts,
            now=now,
            trial=True,
        )
    except pricing.FeesExceedAmount as refusal:
        if payment.flow in PAY_IN_FLOWS.values():  # waived there
            return Money(0, payment.amount.asset), ""
        return None, refusal.code
    except Refusal as refusal:
        return None, refusal.code
    return priced.fee + priced.vat, ""


def _walked(rules: Sequence[LimitRule], payments: Sequence[Payment], *, now: datetime) -> tuple[list[bool], list[int]]:
    """Return for each payment whether it is within, and what its counter holds after it."""
    used: dict[tuple[object, ...], int] = {}
    within, sums = [], []
    for payment in payments:
        about = limits.applicable(
            rules,
            operator_id=payment.operator_id,
            flow=payment.flow,
            channel=payment.channel,
            asset=payment.amount.asset,
            now=now,
        )
        rule = about[0] if about else None
        if rule is None:
            within.append(True)
            sums.append(0)
            continue
        key = _counter(rule, payment)
        total = used.get(key, 0) + payment.amount.minor
        fits = total <= rule.cap_minor
        if fits and rule.period == LimitRule.Period.DAY:
            used[key] = total
        within.append(fits)
        sums.append(used.get(key, 0) if rule.period == LimitRule.Period.DAY else payment.amount.minor)
    return within, sums


def _counter(rule: LimitRule, payment: Payment) -> tuple[object, ...]:
    day = day_of(payment.operator_id, payment.at) if rule.period == LimitRule.Period.DAY else payment.reference
    return payment.operator_id, rule.flow, rule.channel, payment.payer if rule.scope == "wallet" else "", day
