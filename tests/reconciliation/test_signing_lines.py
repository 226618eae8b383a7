"""No line of a statement is signed away: a file that comes after the run, or a match that is undone, is seen before."""

from datetime import timedelta

import pytest

from ledger.controls import clock
from ledger.models import Period
from reconciliation import close_runs, proving, signing
from reconciliation.exception_approvals import approve_exception, propose_approval
from reconciliation.exception_cases import assign_case
from reconciliation.models import CloseRun, ExceptionCase, StatementLine
from reconciliation.statements import matches
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.statements import HEADER, bring, operator_source, text

pytestmark = pytest.mark.usefixtures("database")

ON = DATE.isoformat()
PREPARER, REVIEWER = "user:fiona", "user:frank"


def _over(day: Day) -> CloseRun:
    """Run the date's close once its grace is over."""
    day.desk.clock.move_to(day.desk.clock.now().replace(hour=1, minute=5) + timedelta(days=1))
    return close_runs.run(close=close_runs.ensure(environment="test", business_date=DATE)).close


def _submit() -> None:
    close = CloseRun.objects.get(business_date=DATE)
    signing.submit_close(
        close_reference=close.reference, close_version=close.version, comment="ok", actor=PREPARER, now=clock.now()
    )


def _sign() -> CloseRun:
    proving.prove(CloseRun.objects.get(business_date=DATE))
    close = CloseRun.objects.get(business_date=DATE)
    return signing.sign_close(
        close_reference=close.reference, close_version=close.version, comment="agreed", actor=REVIEWER
    )


def _approve() -> None:
    case = ExceptionCase.objects.get(type="statement_line_unmatched")
    assign_case(
        case_reference=case.reference,
        owner="fay",
        next_review_on=clock.now().date(),
        actor="user:fay",
        now=clock.now(),
    )
    case = ExceptionCase.objects.get(pk=case.pk)
    propose_approval(
        case_reference=case.reference, case_version=case.version, reason="theirs", maker="user:fay", now=clock.now()
    )
    approve_exception(case_reference=case.reference, reason="agreed", checker=REVIEWER, now=clock.now())


def test_a_file_that_comes_after_the_run_is_looked_at_before_the_close_is_prepared(day: Day) -> None:
    day.processed()
    _over(day)
    bring(operator_source(), text(HEADER, [f"t1,{ON},7.00,debit,,,W-77"]))
    with pytest.raises(signing.RunFirst, match="unmatched"):
        _submit()
    _over_again()
    _approve()
    close_runs.run(close=CloseRun.objects.get(business_date=DATE))
    _submit()
    assert _sign().state == CloseRun.State.LOCKED


def _over_again() -> None:
    close_runs.run(close=CloseRun.objects.get(business_date=DATE))


@pytest.mark.parametrize("how", ["a file comes", "a match is undone"])
def test_what_comes_while_a_close_is_reviewed_keeps_it_from_being_signed(how: str, day: Day) -> None:
    order = day.processed()
    source = operator_source()
    bring(source, text(HEADER, [f"t0,{ON},100.00,debit,,{order.reference}:debit:v1,"]))
    _over(day)
    _submit()
    if how == "a file comes":
        bring(source, text(HEADER, [f"t1,{ON},7.00,debit,,,W-77"]), name="later.csv")
    else:
        line = StatementLine.objects.get(line_id="t0")
        matches.undo(line_reference=line.reference, reason="another's", actor="user:fay", now=clock.now())
    with pytest.raises(signing.RunFirst, match="unmatched"):
        _sign()
    assert not Period.objects.filter(business_date=DATE, locked_at__isnull=False).exists()
