"""Rules put in force as people do it: one drafts and proposes, another approves."""

from datetime import datetime

from ledger.controls import clock
from ledger.environments import Environment
from wallets import rules
from wallets.models import FeeRule, LimitRule
from wallets.rule_terms import FeeTerms, LimitTerms, Terms

MAKER, CHECKER = "user:fina", "user:lee"


def in_force(terms: Terms, *, code: str = "", now: datetime | None = None) -> FeeRule | LimitRule:
    """Draft, propose and approve a version; the one of the same code that stood is retired."""
    at = now or clock.now()
    rule = rules.draft(
        environment=Environment.TEST, code=code or terms.name, terms=terms, note="agreed", actor=MAKER, now=at
    )
    rules.propose(reference=rule.reference, note="agreed", actor=MAKER, now=at)
    return rules.approve(reference=rule.reference, reason="checked", actor=CHECKER, now=at)


def fee(name: str = "fee", flow: str = "transfer", asset: str = "EUR", **terms: object) -> FeeTerms:
    return FeeTerms(name=name, flow=flow, asset=asset, **terms)  # type: ignore[arg-type]  # the caller's terms


def limit(
    name: str = "limit",
    asset: str = "EUR",
    scope: str = "wallet",
    period: str = "day",
    cap_minor: int = 100_000,
    **terms: object,
) -> LimitTerms:
    return LimitTerms(name=name, asset=asset, scope=scope, period=period, cap_minor=cap_minor, **terms)  # type: ignore[arg-type]
