"""Carry out a resolution under the locks: the case is resolved, its subject moves, a saga takes over if there is more to do.

So it does when the other side has news of a subject that ends here: it is looked back at once more.
"""

from datetime import datetime

from ledger.controls import bell
from ledger.controls.moves import Why
from ledger.controls.refusals import NotFound, Refusal
from orders import transitions
from orders.locks import lock_case
from orders.models import ReviewCase, SagaRun
from orders.reviews.matter import Matter
from orders.reviews.matters import matter_of
from orders.reviews.resolutions import Resolution


class CaseResolved(Refusal):
    """This case is resolved."""

    code = "case_resolved"
    status = 409


def locked(case_reference: str) -> tuple[Matter, ReviewCase]:
    """Lock subject, remote operations and case, in the house's order; what is known is what stands under the locks.

    Raises NotFound or CaseResolved.
    """
    subject = ReviewCase.objects.filter(reference=case_reference).values_list("subject", flat=True).first()
    if subject is None:
        raise NotFound(f"There is no review case {case_reference}.")
    return matter_of(subject, lock=True), open_case(case_reference)


def open_case(case_reference: str) -> ReviewCase:
    """Lock a case that is not resolved. Raises NotFound or CaseResolved."""
    case = lock_case(case_reference)
    if case.state == ReviewCase.State.RESOLVED:
        raise CaseResolved
    return case


def carry_out(
    chosen: Resolution,
    matter: Matter,
    case: ReviewCase,
    *,
    reason: str,
    agreement: str,
    actor: str,
    second: str,
    now: datetime,
) -> None:
    """Resolve the case and move what it is about. `second` is who approved it, "" where one person is enough."""
    people = {"proposed_by": actor, "approved_by": second} if second else {"decided_by": actor}
    evidence = {
        **people,
        "case": case.reference,
        "reason": reason,
        **({"agreement": agreement} if agreement else {}),
        "remote_key": matter.look_up.key if matter.look_up else "",
        "remote_state": matter.look_up.state if matter.look_up else "",
    }
    transitions.resolve(case, resolution=chosen.value, why=Why(second or actor, f"resolved: {chosen}"), now=now)
    matter.choices[chosen].apply(Why(second or actor, f"review: {chosen}", evidence=evidence), now)
    if matter.goes_on():
        SagaRun.objects.update_or_create(
            subject=matter.subject,
            defaults={
                "environment": case.environment,
                "available_at": now,
                "lease_until": None,
                "lease_token": "",
                "attempts": 0,
            },
        )
        bell.ring_after_commit("sagas")
    else:
        SagaRun.objects.filter(subject=matter.subject, news=0).delete()
