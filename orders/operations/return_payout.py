"""What comes after a payout's end: a payment that came back, in one or in several parts, or one that was made after all.

The intent stays as it is. A return of its own is opened with the case in which people say whether it is so: then it is
booked against the wallet (PAYOUT_RETURN: the amount back, fees stay; LATE_EFFECT: from the wallet, what it lacks from its
receivable), and that is its end.
"""

from datetime import datetime
from typing import Any, Final

import structlog
from django.db import transaction as db_transaction
from django.db.models import QuerySet, Sum

from ledger.controls import references
from ledger.controls.moves import Why
from ledger.money import Money
from orders import payout_terms, transitions
from orders.locks import lock_payout
from orders.models import Intent, Payout, Return
from wallets.outcomes import CameBack

log = structlog.get_logger(__name__)

STATUS_READ: Final = "status read"
"""Who found a return that the bank had not told."""


def hear_late_payout(*, payout_reference: str, operation_key: str, event: str, now: datetime) -> None:
    """Open a return when the channel confirms a payment whose payout ended as not paid. Safe twice."""
    if not Payout.objects.filter(reference=payout_reference).exists():
        return
    with db_transaction.atomic():
        intent, payout = lock_payout(payout_reference, even_frozen=True)
        if intent.state == Intent.State.FAILED:
            why = Why("remote door", "submit confirmed after the intent failed", event=event)
            open_late_payout(intent=intent, payout=payout, operation_key=operation_key, why=why, now=now)


def open_late_payout(*, intent: Intent, payout: Payout, operation_key: str, why: Why, now: datetime) -> None:
    """Open the return of a failed intent that was paid after all, once per key. The caller holds both locked."""
    if Return.objects.filter(operation_key=operation_key).exists():
        return
    _open(
        intent,
        payout,
        kind=Return.Kind.LATE_EFFECT,
        operation_key=operation_key,
        amount=payout_terms.paid_out(intent),
        terms={},
        why=why,
        now=now,
    )


def room(intent: Intent) -> int:
    """Return how much of a payout may still come back: what was paid, less every return that people have not dismissed."""
    stands = _returns(intent).exclude(state=Return.State.DISMISSED)
    return int(intent.credit_minor or 0) - _sum(stands)


def known_return(intent: Intent, *, named: str, amount: Money) -> Return | None:
    """Return the one that a status read has found before the bank told it. The caller holds the intent locked.

    A read that was told no id takes the first of its amount's, so that it is not taken for another's.
    """
    read = _returns(intent).filter(terms__provider__by=STATUS_READ)
    found = read.filter(terms__provider__return_id=named).first()
    if found is None:
        found = read.filter(terms__provider__return_id="", amount_minor=amount.minor).first()
        if found is not None:
            found.terms["provider"]["return_id"] = named
            Return.objects.filter(pk=found.pk).update(terms=found.terms)
    return found


def hear_read_return(*, payout_reference: str, came_back: CameBack, now: datetime) -> bool:
    """Open a return of what a status read says has come back and nobody has told yet. Safe twice.

    Returns False when its intent has not ended yet. Raises IntentFrozen. What people have dismissed counts as told. One that
    ended as not paid has a late effect for people to judge; that it came back as well is theirs to see there.
    """
    with db_transaction.atomic():
        intent, payout = lock_payout(payout_reference)
        if intent.state != Intent.State.SETTLED:
            if intent.terminal:
                log.error("payout_return_of_unpaid", intent=intent.reference, state=intent.state)
            return intent.terminal
        untold = came_back.amount_minor - _sum(_returns(intent))
        untold = min(untold, room(intent))
        if untold > 0:
            return_payout(
                intent=intent,
                payout=payout,
                amount=Money(untold, intent.asset),
                provider={"return_id": came_back.reference, "reason": "", "by": STATUS_READ},
                why=Why("status read", "the bank says that it came back", evidence={"amount_minor": untold}),
                now=now,
            )
    return True


def _returns(intent: Intent) -> "QuerySet[Return]":
    return Return.objects.filter(intent_reference=intent.reference, kind=Return.Kind.PAYOUT_RETURNED)


def _sum(rows: "QuerySet[Return]") -> int:
    return int(rows.aggregate(sum=Sum("amount_minor"))["sum"] or 0)


def return_payout(
    *, intent: Intent, payout: Payout, amount: Money, provider: dict[str, Any], why: Why, now: datetime
) -> Return:
    """Open the return of a settled payout that came back. The caller holds intent and payout locked."""
    return _open(
        intent,
        payout,
        kind=Return.Kind.PAYOUT_RETURNED,
        operation_key="",
        amount=amount,
        terms={"provider": provider},
        why=why,
        now=now,
    )


def _open(
    intent: Intent,
    payout: Payout,
    *,
    kind: Return.Kind,
    operation_key: str,
    amount: Money,
    terms: dict[str, Any],
    why: Why,
    now: datetime,
) -> Return:
    named = intent.terms["accounts"]
    found = Return(
        reference=references.new(references.Prefix.RETURN),
        environment=intent.environment,
        operator_id=intent.operator_id,
        kind=kind,
        intent_reference=intent.reference,
        operation_key=operation_key,
        leg="submit",
        user_reference=intent.payer,
        partner_order_id=intent.partner_reference,
        asset=amount.asset,
        amount_minor=amount.minor,
        terms={
            **terms,
            "payout": payout.reference,
            "accounts": {name: named[name] for name in ("wallet", "receivable", "bank")},
        },
    )
    late = kind == Return.Kind.LATE_EFFECT
    transitions.open_return(
        found,
        reason="late_submit" if late else "payout_returned",
        next_action="See whether it is so; adjust the books to it, or dismiss it as a mistake.",
        why=why,
        now=now,
    )
    return found
