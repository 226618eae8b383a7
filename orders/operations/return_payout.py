"""What comes after a payout's end: a payment that came back, in one or in several parts, or one that was made after all.

The intent stays as it is. A return of its own is opened with the case in which people say whether it is so: then it is
booked against the wallet (PAYOUT_RETURN: the amount back, fees stay; LATE_EFFECT: from the wallet, what it lacks from its
receivable), and that is its end.
"""

from datetime import datetime
from typing import Any, Final

import structlog
from django.db import transaction as db_transaction

from ledger.controls import references
from ledger.controls.moves import Why
from ledger.money import Money
from orders import payout_terms, transitions
from orders.locks import lock_payout
from orders.models import Intent, Payout, Return
from orders.operations.told_returns import STATUS_READ, late_payment, room, told_minor
from wallets.outcomes import CameBack

log = structlog.get_logger(__name__)

UNPAID: Final = "the hold was posted, and the channel did not pay"
"""The reason of a return that was opened because its payout was settled without a payment."""

_BACK: Final = "the bank says that it came back"
_DENIED: Final = "the bank confirmed it, and says now that it was never paid"


def hear_late_payout(*, payout_reference: str, operation_key: str, event: str, now: datetime) -> None:
    """Open a return when the channel confirms a payment whose payout ended as not paid, or its hold so. Safe twice."""
    if not Payout.objects.filter(reference=payout_reference).exists():
        return
    with db_transaction.atomic():
        intent, payout = lock_payout(payout_reference, even_frozen=True)
        if ended_unpaid(intent):
            why = Why("remote door", f"submit confirmed after the intent {intent.state}", event=event)
            open_late_payout(intent=intent, payout=payout, operation_key=operation_key, why=why, now=now)


def ended_unpaid(intent: Intent) -> bool:
    """Tell whether a payout ended without its payment: it failed, or only its hold was posted. It is held locked."""
    if intent.state != Intent.State.SETTLED:
        return bool(intent.state == Intent.State.FAILED)
    return Return.objects.filter(intent_reference=intent.reference, terms__provider__reason=UNPAID).exists()


def open_late_payout(*, intent: Intent, payout: Payout, operation_key: str, why: Why, now: datetime) -> None:
    """Open the return of an intent that ended unpaid and was paid after all, once per key. The caller holds both locked."""
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


def hear_read_return(*, payout_reference: str, came_back: CameBack, denied: bool = False, now: datetime) -> bool:
    """Open a return of what a status read says has come back and nobody has told yet. Safe twice.

    `denied`: the bank says now that it never paid what it had confirmed. For people that is a payment that came back whole.

    Returns False when its intent has not ended yet. Raises IntentFrozen. What people have dismissed counts as told. One that
    ended as not paid has a late effect for people to judge; that it came back as well is read again when they have booked it.
    """
    with db_transaction.atomic():
        intent, payout = lock_payout(payout_reference)
        if intent.state != Intent.State.SETTLED and late_payment(intent) != Return.State.ADJUSTED:
            if intent.terminal:
                log.error("payout_return_of_unpaid", intent=intent.reference, state=intent.state)
            return intent.terminal
        untold = min(came_back.amount_minor - told_minor(intent), room(intent))
        if untold > 0:
            return_payout(
                intent=intent,
                payout=payout,
                amount=Money(untold, intent.asset),
                provider={"return_id": came_back.reference, "reason": _DENIED if denied else "", "by": STATUS_READ},
                why=Why(STATUS_READ, _DENIED if denied else _BACK, evidence={"amount_minor": untold}),
                now=now,
            )
    return True


def return_payout(
    *, intent: Intent, payout: Payout, amount: Money, provider: dict[str, Any], why: Why, now: datetime
) -> Return:
    """Open the return of a payout that was paid and came back. The caller holds intent and payout locked."""
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
