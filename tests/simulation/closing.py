"""The close at a world's end: it finds what a small model of the world predicts, and once that is worked, two people sign.

The model knows nothing of the checks: it is what the world itself has seen of the outside, and what people left undecided.

- the operator was never told of a trade's or payment's end, since its receiver is gone; or the wallet told of something that
  never was: *missing webhook*
- whatever else is wrong at a drained world's end is wrong with the product: nothing else is predicted
"""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from ledger.controls import clock
from reconciliation import close_runs, proving, signing
from reconciliation.check_registry import is_approvable
from reconciliation.exception_approvals import approve_exception, propose_approval
from reconciliation.exception_cases import assign_case
from reconciliation.models import CloseRun, ExceptionCase
from tests.simulation.ticking_clock import START

if TYPE_CHECKING:
    from tests.simulation.world import World

_LIVE: Final = ("open", "assigned")


def close(world: "World") -> None:
    """Close every date of the world, work what was found, and sign."""
    last = world.clock.shown().date()
    morning = (world.clock.shown() + timedelta(days=1)).replace(hour=1, minute=5)
    world.clock.advance(morning - world.clock.shown())
    dates = [START.date() + timedelta(days=number) for number in range((last - START.date()).days + 1)]
    predicted = _predicted(world)
    for date in dates:
        close_runs.run(close=close_runs.ensure(environment="test", business_date=date))
    found = sorted(ExceptionCase.objects.exclude(state="resolved").values_list("type", "subject"))
    for one in sorted({*found} ^ {*predicted}):
        world.found(
            "the close", one[1], f"{one[0]}: {'found' if one in found else 'predicted'}, and nothing else says so"
        )
    for kind, _ in found:
        world.met("close", kind)
    for case in ExceptionCase.objects.filter(state__in=_LIVE).order_by("pk"):
        _approve(world, case)
    for date in dates:
        _sign(world, close_runs.run(close=CloseRun.objects.get(business_date=date)).close)


def _predicted(world: "World") -> list[tuple[str, str]]:
    """Return the breaks that the world's story makes, as (type, subject)."""
    told_of = {
        key
        for service in (world.scene.wallet, world.scene.bank)
        for key, operation in service.operations.items()
        if operation.status in ("confirmed", "rejected")
    }
    gone = {(subject,) for (subject,) in world.stage.looking.execute(_NEVER_DELIVERED).fetchall()}
    dead = world.stage.looking.execute(_NEVER_JUDGED).fetchall()
    named = [*gone, *((reference,) for reference, subjects in dead if not told_of.intersection(subjects))]
    return sorted(("missing_webhook", subject) for (subject,) in named)


_NEVER_DELIVERED: Final = """
SELECT DISTINCT e.aggregate FROM webhooks_delivery d JOIN ledger_event e ON e.id = d.event_id
WHERE d.state = 'dead' AND e.topic IN ('trade.settled', 'trade.failed', 'trade.released', 'trade.returned',
                                       'intent.SETTLED', 'intent.FAILED', 'intent.CANCELLED')
  AND NOT EXISTS (SELECT FROM ledger_event l WHERE l.aggregate = e.aggregate AND l.sequence > e.sequence)
"""
_NEVER_JUDGED: Final = """
SELECT reference, subjects FROM webhooks_inboundevent WHERE state IN ('received', 'parked', 'dead')
"""


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
