"""The five points of the checklist: each exception blocks one until it has healed or is approved, by nobody alone."""

from datetime import timedelta

import pytest
from django.db import transaction as db_transaction
from django_fsm import TransitionNotAllowed

from ledger.controls import clock
from ledger.controls.approvals import SelfApproval
from ledger.controls.moves import IllegalMove, Why
from ledger.models import Approval
from reconciliation import (
    signing,
    transitions,
)
from reconciliation.checklist import TEXTS, checklist_of
from reconciliation.exception_approvals import NotApprovable, approve_exception, propose_approval
from reconciliation.exception_cases import assign_case
from reconciliation.models import CloseRun, ExceptionCase
from tests.orders.desk import reloaded
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import PREPARER, REVIEWER, over, sign, submit

pytestmark = pytest.mark.usefixtures("database")


def test_the_checklist_has_the_seeds_points_and_blocks_until_each_exception_is_approved(day: Day) -> None:
    order, quoteless = day.processed(), day.processed()
    day.plant("DELETE FROM orders_quote WHERE reference = %s", quoteless.quote_reference)
    over(day)
    day.close()
    close = CloseRun.objects.get()
    checklist = checklist_of(close)
    assert (
        [point.text for point in checklist.points]
        == [
            "Every terminal trade has a ledger entry or approved exception.",
            "Every ledger entry joins to a trade, quote, and partner order.",
            "Amounts are compared as exact decimal strings/minor units.",
            "Webhook gaps are reconciled with trusted status reads.",
            "Exceptions have owners and next review dates.",
        ]
        == list(TEXTS.values())
    )
    assert [point.passes for point in checklist.points] == [True, False, True, True, True]
    assert checklist.points[0].figures.startswith("2 terminal trades")
    with pytest.raises(signing.ChecklistIncomplete, match="point 2"):
        submit()
    with pytest.raises(TransitionNotAllowed):
        close.submit()

    _approve(ExceptionCase.objects.get())
    with pytest.raises(signing.RunFirst):
        submit()  # its files do not say yet that it was approved
    day.close()
    assert checklist_of(CloseRun.objects.get()).complete
    submit()
    sign()
    (told,) = day.rows("exceptions.csv")
    assert (told["state"], told["owner"], told["resolution"]) == ("approved", "fiona", "Approved by frank: a test")
    assert reloaded(quoteless).reconciliation_state == "closed"
    assert reloaded(order).reconciliation_state == "closed"


def test_an_exception_without_an_owner_blocks_the_fifth_point(day: Day) -> None:
    quoteless = day.processed()
    day.plant("DELETE FROM orders_quote WHERE reference = %s", quoteless.quote_reference)
    over(day)
    day.close()
    _approve(ExceptionCase.objects.get())
    day.plant("UPDATE reconciliation_exceptioncase SET owner = ''")
    day.close()
    checklist = checklist_of(CloseRun.objects.get())
    assert [point.number for point in checklist.points if not point.passes] == [5]
    with pytest.raises(signing.ChecklistIncomplete, match="point 5"):
        submit()


def test_a_ledger_row_without_terminal_trade_holds_the_close_and_cannot_be_approved(day: Day) -> None:
    day.in_review()
    over(day)
    day.close()
    case = ExceptionCase.objects.get()
    case = assign_case(
        case_reference=case.reference,
        owner="fay",
        next_review_on=DATE + timedelta(days=5),
        actor="user:f",
        now=clock.now(),
    )
    with pytest.raises(NotApprovable):
        propose_approval(
            case_reference=case.reference, case_version=case.version, reason="x", maker="user:f", now=clock.now()
        )
    assert Approval.objects.count() == 0
    with pytest.raises(TransitionNotAllowed):
        case.approve()
    with pytest.raises(signing.ChecklistIncomplete, match="point 1"):
        submit()


def test_moving_past_the_checklist_is_not_possible(day: Day) -> None:
    quoteless = day.processed()
    day.plant("DELETE FROM orders_quote WHERE reference = %s", quoteless.quote_reference)
    over(day)
    day.close()
    day.plant("UPDATE reconciliation_closerun SET state = 'in_review', preparer = %s", PREPARER)
    with pytest.raises(IllegalMove), db_transaction.atomic():
        transitions.sign_and_lock(CloseRun.objects.get(), values={}, why=Why("x", "x"), now=clock.now())
    with pytest.raises(signing.ChecklistIncomplete):
        sign()


def _approve(case: ExceptionCase) -> None:
    case = assign_case(
        case_reference=case.reference,
        owner="fiona",
        next_review_on=DATE + timedelta(days=9),
        actor=PREPARER,
        now=clock.now(),
    )
    propose_approval(
        case_reference=case.reference, case_version=case.version, reason="a test", maker=PREPARER, now=clock.now()
    )
    with pytest.raises(SelfApproval):
        approve_exception(case_reference=case.reference, reason="a test", checker=PREPARER, now=clock.now())
    approve_exception(case_reference=case.reference, reason="a test", checker=REVIEWER, now=clock.now())
