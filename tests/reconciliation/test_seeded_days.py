"""Whatever a seeded day held, the close finds exactly the breaks that a small model of it predicts; worked by the operations
that their cases offer, or approved by a second person where that is allowed, they let the close sign.

The model is the list of what was planted: a day is a few orders of any end, each sound or broken in one of the ways that
`breaks` knows. The seed decides how many, which, in what order, and who resolves what how.
"""

import random
from collections import Counter
from datetime import timedelta

import pytest

from ledger.controls import clock
from orders.models import Order, ReviewCase
from orders.operations import review_case
from reconciliation import proving, signing
from reconciliation.check_registry import is_approvable
from reconciliation.checklist import checklist_of
from reconciliation.exception_approvals import approve_exception, propose_approval
from reconciliation.exception_cases import assign_case
from reconciliation.models import CloseRun, ExceptionCase
from tests.orders.desk import reloaded
from tests.reconciliation.breaks import BREAKS, Break, plant_all
from tests.reconciliation.day import DATE, Day

pytestmark = pytest.mark.usefixtures("database")

_SEEDS = (1, 2, 3, 5)
_SOUND = (Day.processed, Day.processed, Day.failed, Day.compensated)


@pytest.mark.parametrize("seed", _SEEDS)
def test_close_finds_what_the_model_predicts_and_signs_once_it_is_worked(seed: int, day: Day) -> None:
    chance = random.Random(seed)
    broken: list[tuple[Break, Order]] = []
    sound: list[Order] = []
    once: set[str] = set()  # an account is broken once
    for _ in range(chance.randint(10, 16)):
        planted = chance.choice(BREAKS)
        if chance.random() < 0.35 or planted.title == "just submitted" or planted.title in once:
            sound.append(chance.choice(_SOUND)(day))
            continue
        if planted.type == "balance_is_not_the_fold":
            once.add(planted.title)
        broken.append((planted, planted.order(day)))
    predicted = plant_all(day, broken)

    day.desk.clock.move_to(day.desk.clock.now().replace(hour=1, minute=5) + timedelta(days=1))
    report = day.close()
    assert day.standing() == predicted, f"seed {seed}"
    assert {name: n for name, n in report.breaks.items() if n} == Counter(kind for kind, _ in predicted)
    assert checklist_of(CloseRun.objects.get()).complete == (not predicted)

    for case in ExceptionCase.objects.order_by("pk"):
        _work(day, case)
    assert day.close().cases.standing == 0
    close = CloseRun.objects.get()
    signing.submit_close(
        close_reference=close.reference, close_version=close.version, comment="", actor="user:fiona", now=clock.now()
    )
    close = CloseRun.objects.get()
    assert proving.prove(close)
    signing.sign_close(close_reference=close.reference, close_version=close.version, comment="", actor="user:frank")
    close = CloseRun.objects.get()
    assert close.state == "locked"
    signing.finish_locked(close)
    assert {reloaded(order).reconciliation_state for order in sound} <= {"closed"}
    told = Counter((row["type"], row["state"]) for row in day.rows("exceptions.csv"))
    assert told == Counter((kind, "approved" if is_approvable(kind) else "resolved") for kind, _ in predicted)


def _work(day: Day, case: ExceptionCase) -> None:
    """Approve what may be approved, by a second person; end the review of what holds the close."""
    if not is_approvable(case.type):
        review = ReviewCase.objects.exclude(state="resolved").get(subject=case.order_reference)
        review_case.propose_resolution(
            case_reference=review.reference,
            case_version=review.version,
            resolution="debit_absent",
            reason="the lookups show it",
            actor="user:olga",
            now=clock.now(),
        )
        assert Order.objects.get(reference=case.order_reference).state == "failed"
        return
    case = assign_case(
        case_reference=case.reference,
        owner="fiona",
        next_review_on=DATE + timedelta(days=9),
        actor="user:fiona",
        now=clock.now(),
    )
    propose_approval(
        case_reference=case.reference, case_version=case.version, reason="known", maker="user:fiona", now=clock.now()
    )
    approve_exception(case_reference=case.reference, reason="seen", checker="user:frank", now=clock.now())
