"""The saga of a return that is given back: one movement at the operator under the return's own key, then our books.

1 two people decided, and what the operator will be asked was written down (`orders.reviews.return_resolutions`)
2 the operator is asked: a credit, or a debit when it was a giving that came late
3 confirmed: given back, RETURN_GIVEN_BACK in the same transaction
4 rejected, or unknown at the cap: a review case on the return; lookups go on and add evidence
"""

from typing import assert_never

from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.moves import Why
from ledger.money import Money
from orders import return_terms, transitions
from orders.locks import lock_return
from orders.models import Return, ReviewCase
from orders.sagas.progress import MOVED, Progress, Stopped, Wait
from orders.sagas.watching import look_back, watch
from wallets import remote_operations
from wallets.gateway_terms import gateway_terms
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown
from wallets.remote_operations import Leg

_NOT_OVER = (Cause.IN_FLIGHT, Cause.NOT_ASKED)


def advance(found: Return) -> Progress:
    """Drive the giving back as far as it goes now."""
    standing = remote_operations.standing(owner=found.reference, leg=found.gives_back_by)
    if standing is None:
        return Stopped()
    if found.state != Return.State.ADJUSTED:
        return look_back(found)
    if _is_under_review(found):
        return watch(found)
    performed = remote_operations.perform(
        give_back_leg(found, version=standing.version), waits=lambda: _waits(found), grounds=lambda: _is_adjusted(found)
    )
    outcome = performed.outcome
    if isinstance(outcome, Unknown) and (outcome.cause in _NOT_OVER or not performed.exhausted):
        return Wait(performed.wait)
    with db_transaction.atomic():
        found = lock_return(found.reference)
        if found.state != Return.State.ADJUSTED or _is_under_review(found):
            return MOVED
        now = clock.now()
        match outcome:
            case Confirmed(remote_ref):
                transitions.give_back_return(
                    found,
                    draft=return_terms.given_back(found),
                    why=Why(transitions.SAGA, "given back", evidence={"remote_ref": remote_ref}),
                    now=now,
                )
            case Rejected(reason):
                transitions.stop_return_for_review(
                    found,
                    reason="give_back_rejected",
                    next_action="Agree with the operator how it is given back, or keep it for the net settlement.",
                    why=Why(transitions.SAGA, "giving back rejected", evidence={"reason": reason}),
                    now=now,
                )
            case Unknown(cause):
                transitions.stop_return_for_review(
                    found,
                    reason="give_back_unknown",
                    next_action="Look up the movement at the operator.",
                    why=Why(transitions.SAGA, "giving back unknown at the cap", evidence={"cause": cause.value}),
                    now=now,
                )
            case _:
                assert_never(outcome)
    return MOVED


def give_back_leg(found: Return, *, version: int) -> Leg:
    """Return the movement that gives it back, under the return's own key."""
    assert found.operator_id is not None
    terms = gateway_terms(operator_id=found.operator_id, environment=found.environment)
    return Leg(
        owner=found.reference,
        name=found.gives_back_by,
        version=version,
        gateway_id=terms.gateway_id,
        environment=found.environment,
        operator_id=found.operator_id,
        amount=Money(int(found.amount_minor), found.asset),
        user_reference=found.user_reference,
        partner_order_id=found.partner_order_id,
    )


def _waits(found: Return) -> bool:
    """Lock the return in the claim's transaction: nothing is asked for one that people hold or that has ended."""
    return lock_return(found.reference).state == Return.State.ADJUSTED and not _is_under_review(found)


def _is_adjusted(found: Return) -> bool:
    """Tell whether what happened is booked: only then is there something to give back."""
    return bool(lock_return(found.reference).state == Return.State.ADJUSTED)


def _is_under_review(found: Return) -> bool:
    return ReviewCase.objects.filter(subject=found.reference).exclude(state=ReviewCase.State.RESOLVED).exists()
