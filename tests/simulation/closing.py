"""The close at a world's end: it finds what a small model of the world predicts; what is left is approved, and two people sign.

1 people have not decided yet: each date is run, and what stands is what `predicting.py` says
2 they have decided: each date is run again; of what stands now the model says the same, and each case is approved by a second
  person
3 two people sign each date, and it is locked
"""

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from ledger.controls import clock
from reconciliation import close_runs, proving, signing
from reconciliation.check_registry import is_approvable
from reconciliation.exception_approvals import approve_exception, propose_approval
from reconciliation.exception_cases import assign_case
from reconciliation.models import CloseRun, ExceptionCase
from tests.simulation.predicting import predicted
from tests.simulation.ticking_clock import START

if TYPE_CHECKING:
    from tests.simulation.world import World

_LIVE: Final = ("open", "assigned")


def find(world: "World") -> list[date]:
    """Run the close of every date of the world on the next morning, compare what it finds, and return the dates."""
    last = world.clock.shown().date()
    morning = (world.clock.shown() + timedelta(days=1)).replace(hour=1, minute=5)
    world.clock.advance(morning - world.clock.shown())
    dates = [START.date() + timedelta(days=number) for number in range((last - START.date()).days + 1)]
    expected = {*predicted(world)}
    for day in dates:
        close_runs.run(close=close_runs.ensure(environment="test", business_date=day))
    found = {*ExceptionCase.objects.exclude(state="resolved").values_list("type", "subject")}
    for kind, subject in sorted(found ^ expected):
        who = "found" if (kind, subject) in found else "predicted"
        world.found("the close", subject, f"{kind}: {who}, and nothing else says so")
    for kind, _ in sorted(found):
        world.met("close", kind)
    return dates


def close(world: "World") -> None:
    """Close every date of the world, approve what is left, and sign."""
    dates = find(world)
    for case in ExceptionCase.objects.filter(state__in=_LIVE).order_by("pk"):
        _approve(world, case)
    for day in dates:
        _sign(world, close_runs.run(close=CloseRun.objects.get(business_date=day)).close)


def _approve(world: "World", case: ExceptionCase) -> None:
    if not is_approvable(case.type):
        world.found("the close", case.subject, f"{case.type} cannot be approved, and nothing is left to work it with")
        return
    case = assign_case(
        case_reference=case.reference,
        owner="ann",
        next_review_on=world.clock.shown().date() + timedelta(days=9),
        actor="user:ann",
        now=clock.now(),
    )
    propose_approval(
        case_reference=case.reference, case_version=case.version, reason="known", maker="user:ann", now=clock.now()
    )
    approve_exception(case_reference=case.reference, reason="seen", checker="user:ben", now=clock.now())


def _sign(world: "World", found: CloseRun) -> None:
    signing.submit_close(
        close_reference=found.reference, close_version=found.version, comment="", actor="user:ann", now=clock.now()
    )
    proving.prove(CloseRun.objects.get(pk=found.pk))
    submitted = CloseRun.objects.get(pk=found.pk)
    signed = signing.sign_close(
        close_reference=submitted.reference, close_version=submitted.version, comment="", actor="user:ben"
    )
    if signed.state != CloseRun.State.LOCKED:
        world.found("the close", found.reference, f"signed by two people, it is {signed.state}")
    world.met("close", "signed")
