"""Gather what a case is about from the stored evidence; under locks for who decides by it."""

from ledger.controls.refusals import NotFound
from orders import trade_terms
from orders.locks import lock_order, lock_payout, lock_return, lock_trade_of
from orders.models import Intent, Order, Payout, Quote, Return, Trade
from orders.reviews.evidence import (
    Facts,
    PayoutFacts,
    ReturnFacts,
    facts_of,
    facts_of_payout,
    facts_of_return,
)
from orders.reviews.matter import Choice, Matter
from orders.reviews.payout_resolutions import PAYOUT_RULES
from orders.reviews.resolutions import F, Resolution, Rule, rules_of
from orders.reviews.return_resolutions import PAYOUT_RETURN_RULES, RETURN_RULES
from orders.reviews.trade_resolutions import TRADE_RULES, TRADE_RULES_OF_PAYOUTS


def matter_of(subject: str, *, lock: bool = False) -> Matter:
    """Return the matter of an order, intent or return; `lock` takes its rows in the house's order. Raises NotFound."""
    if Return.objects.filter(reference=subject).exists():
        found = lock_return(subject) if lock else Return.objects.get(reference=subject)
        return _of_return(facts_of_return(found, lock=lock))
    payout = Payout.objects.filter(intent_reference=subject).first()
    if payout is not None:
        intent, payout = lock_payout(payout.reference) if lock else (Intent.objects.get(reference=subject), payout)
        return _of_payout(facts_of_payout(intent, payout, lock=lock))
    order = lock_order(subject) if lock else Order.objects.filter(reference=subject).first()
    if order is None:
        raise NotFound(f"There is no order {subject}.")
    trade = lock_trade_of(order) if lock else Trade.objects.filter(order_reference=subject).order_by("-id").first()
    assert trade is not None, f"{subject} has no trade"
    return _of_order(facts_of(order, trade, lock=lock))


def _of_order(facts: Facts) -> Matter:
    order = facts.order
    held = "" if order.state == Order.State.MANUAL_REVIEW else f"The order has left manual review: it is {order.state}."
    return Matter(
        subject=order.reference,
        version=order.version,
        held=held,
        look_up=facts.credit or facts.reverse or facts.execute or facts.debit,
        choices={name: _choice(rule, facts) for name, rule in rules_for(facts).items()},
        goes_on=lambda: not order.terminal,
    )


def rules_for(facts: Facts) -> dict[Resolution, Rule[Facts]]:
    """Return the rows of the table that are about this order, with those of its trade when an outside venue executes it."""
    rules = rules_of(facts.order)
    if not trade_terms.is_outside(facts.trade):
        return rules
    return {**(TRADE_RULES if facts.order.side == Quote.Side.BUY else TRADE_RULES_OF_PAYOUTS), **rules}


def _of_payout(facts: PayoutFacts) -> Matter:
    intent, payout = facts.intent, facts.payout
    held = (
        ""
        if intent.state == Intent.State.MANUAL_REVIEW
        else f"The payout has left manual review: it is {intent.state}."
    )
    return Matter(
        subject=payout.reference,
        version=payout.version,
        held=held,
        look_up=facts.submission,
        choices={name: _choice(rule, facts) for name, rule in PAYOUT_RULES.items()},
        goes_on=lambda: not payout.terminal,
    )


def _of_return(facts: ReturnFacts) -> Matter:
    found = facts.found
    rules = PAYOUT_RETURN_RULES if found.intent_reference else RETURN_RULES
    return Matter(
        subject=found.reference,
        version=found.version,
        held=f"The return has ended: it is {found.state}." if found.terminal else "",
        look_up=facts.movement,
        choices={name: _choice(rule, facts) for name, rule in rules.items()},
        goes_on=lambda: not found.terminal,
    )


def _choice(rule: Rule[F], facts: F) -> Choice:
    return Choice(
        title=rule.title,
        ends_in=rule.ends_in,
        why_not=rule.why_not(facts),
        two_people=rule.two_people(facts),
        by_agreement=rule.by_agreement,
        apply=lambda why, now: rule.apply(facts, rule.drafts(facts), why, now),
    )
