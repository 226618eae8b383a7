"""Review and signatures: who prepared a close hands it over; somebody else signs, and with that the date is locked.

Submit (the preparer's signature):
1 the date is over plus its grace, its last run was after that, and nothing was decided on its cases since
2 the five points of the checklist pass (rule C1)
3 the files of that run are what is signed: their hashes and the ledger's root stand with the signature

Prove (a worker, `proving`): every transaction from before the run has ended, the files are made again as of the run's instant
and are the same bytes: nothing came late.

Sign (the reviewer's signature), one transaction that makes no file:
1 another person than the preparer (rule H1), the files that the preparer signed, and their proof
2 the checklist once more, the period locked (it waits for postings under way), what came in since the proof looked for in a
  second statement, signed and locked

Finish (a worker): what the date moved is written down, the orders that ended in it are closed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import structlog
from django.db import connection
from django.db import transaction as db_transaction

from ledger import periods
from ledger.controls import bell, clock
from ledger.controls.approvals import SelfApproval
from ledger.controls.moves import StaleVersion, Why
from ledger.controls.refusals import NotFound, Refusal
from reconciliation import day_movements, making_again, marks, transitions
from reconciliation.checklist import checklist_of
from reconciliation.checks import statement_line_unmatched
from reconciliation.close_runs import window_of_close
from reconciliation.exception_cases import one_run_at_a_time
from reconciliation.leases import CloseBusy
from reconciliation.models import CloseArtifact, CloseFinding, CloseRun, CloseSignature, ExceptionCase
from reconciliation.proving import Proof, proof_of
from reconciliation.windows import Window
from wallets import operators

log = structlog.get_logger(__name__)

_UNKNOWN_LINES: Final = f"""
SELECT subject FROM ({statement_line_unmatched.CHECK.query}) AS line
EXCEPT SELECT subject FROM reconciliation_exceptioncase
       WHERE environment = %(environment)s AND state = 'approved'
LIMIT 1
"""  # noqa: S608  our own text


class TooEarly(Refusal):
    """This date is not over yet, or its grace is not."""

    code = "close_too_early"
    status = 409


class RunFirst(Refusal):
    """Run this close (again) first: it has not run since its date was over, or its cases were changed since."""

    code = "close_run_first"
    status = 409


class ChecklistIncomplete(Refusal):
    """A point of the checklist does not pass."""

    code = "checklist_incomplete"
    status = 409


class NotUnderReview(Refusal):
    """This close is not under review."""

    code = "close_not_under_review"
    status = 409


class RecordsChanged(Refusal):
    """Records of this date came in after its last run: open it again and run it once more."""

    code = "close_records_changed"
    status = 409


class NotProved(Refusal):
    """The files of this close are being made again, to prove them. Sign in a moment."""

    code = "close_not_proved"
    status = 409


def submit_close(*, close_reference: str, close_version: int, comment: str, actor: str, now: datetime) -> CloseRun:
    """Sign as preparer and hand the close to review. Raises the refusals above, StaleVersion or CloseBusy."""
    with db_transaction.atomic():
        close = _locked(close_reference, close_version)
        if close.state != CloseRun.State.OPEN:
            raise RunFirst(f"This close is {close.get_state_display().lower()}.")
        if close.lease_until is not None and close.lease_until > now:
            raise CloseBusy
        _need_over(close, now)
        _need_checklist(close)
        _need_run(close)
        _need_known_lines(window_of_close(close))
        transitions.submit(
            close,
            values={
                "preparer": actor,
                "reviewer": None,
                "available_at": now,  # a worker proves its files
                "proof": {},
                "lease_until": None,
                "lease_token": "",  # a run that stalled does not come back to it
            },
            why=Why(actor, "prepared", evidence=_signed(close)),
            now=now,
        )
        _sign(close, CloseSignature.Role.PREPARER, comment, actor, now)
        bell.ring_after_commit("closes")
    return close


def sign_close(*, close_reference: str, close_version: int, comment: str, actor: str) -> CloseRun:
    """Sign as reviewer and lock the date. Outside any transaction. Raises the refusals above, StaleVersion, SelfApproval."""
    close = CloseRun.objects.filter(reference=close_reference).first()
    if close is None:
        raise NotFound(f"There is no close {close_reference}.")
    _need_reviewer(close, actor)
    window = window_of_close(close)
    now = clock.now()
    with db_transaction.atomic():
        one_run_at_a_time(close.environment)
        close = _locked(close_reference, close_version)
        _need_reviewer(close, actor)
        _need_checklist(close)
        _need_prepared(close)
        proof = _need_proof(close)
        signed = _signed(close)
        periods.lock(close.environment, close.business_date, actor, now)
        _need_known_lines(window)
        with connection.cursor() as cursor:
            if making_again.amounts_to(cursor, window) != proof.amounts:
                raise RecordsChanged
        transitions.sign_and_lock(
            close,
            values={"reviewer": actor, "available_at": now, "operator_id": _whose(close)},
            why=Why(actor, "signed", evidence=signed),
            now=now,
        )
        _sign(close, CloseSignature.Role.REVIEWER, comment, actor, now)
        bell.ring_after_commit("closes")
    log.info(
        "close.locked",
        close=close.reference,
        business_date=close.business_date.isoformat(),
        ledger_root=close.ledger_root,
    )
    return CloseRun.objects.get(pk=close.pk)


def send_back(*, close_reference: str, close_version: int, reason: str, actor: str, now: datetime) -> CloseRun:
    """Open a close under review again, by either person; nothing was locked. Raises NotUnderReview."""
    with db_transaction.atomic():
        close = _locked(close_reference, close_version)
        if close.state != CloseRun.State.IN_REVIEW:
            raise NotUnderReview
        transitions.reopen(
            close,
            values={"preparer": "", "reviewer": None, "available_at": now, "proof": {}},
            why=Why(actor, "sent back from review", evidence={"reason": reason[:500]}),
            now=now,
        )
    return close


def finish_locked(close: CloseRun) -> None:
    """Write down what a locked date moved, mark its orders as closed, and note that it is done. Safe twice.

    Of this very lock: one that was opened again meanwhile, and perhaps locked once more, is another's to finish.
    """
    day_movements.keep(close, window=window_of_close(close))
    marks.close_orders(close=close, window=window_of_close(close))
    same = CloseRun.objects.filter(pk=close.pk, state=CloseRun.State.LOCKED, version=close.version)
    same.update(available_at=None)


def _locked(close_reference: str, close_version: int) -> CloseRun:
    close = CloseRun.objects.select_for_update().filter(reference=close_reference).first()
    if close is None:
        raise NotFound(f"There is no close {close_reference}.")
    if close.version != close_version:
        raise StaleVersion(reference=close.reference)
    return close


def _need_over(close: CloseRun, now: datetime) -> None:
    signable_from = window_of_close(close).signable_from
    if now < signable_from:
        raise TooEarly(f"It can be signed from {signable_from:%Y-%m-%d %H:%M} UTC.")


def _need_run(close: CloseRun) -> None:
    signable_from = window_of_close(close).signable_from
    if close.last_run_at is None or close.last_run_at < signable_from or close.attempts:
        raise RunFirst
    columns = ("state", "owner", "next_review_on")
    left = CloseFinding.objects.filter(close_reference=close.reference).values_list("case_reference", *columns)
    named = [row[0] for row in left]
    present = ExceptionCase.objects.filter(reference__in=named).values_list("reference", *columns)
    if set(left) != set(present):
        raise RunFirst(
            "Exceptions of this close were changed since its last run: run it again, so that its files say so."
        )


def _need_known_lines(window: Window) -> None:
    """Every line of a statement is matched, or its case (of any type) approved: a file may have come since the run."""
    with connection.cursor() as cursor:
        cursor.execute(
            _UNKNOWN_LINES,
            {
                "environment": window.environment,
                "from": window.start,
                "to": window.end,
                "type": statement_line_unmatched.CHECK.name,
            },
        )
        if cursor.fetchone():
            raise RunFirst(
                "A statement's line of this date is unmatched, and its exception not approved: run the close again."
            )


def _need_reviewer(close: CloseRun, actor: str) -> None:
    if close.state != CloseRun.State.IN_REVIEW:
        raise NotUnderReview
    if close.preparer == actor:
        raise SelfApproval("Preparer and reviewer must be different people.")


def _need_checklist(close: CloseRun) -> None:
    checklist = checklist_of(close)
    if not checklist.complete:
        blocked = ", ".join(str(point.number) for point in checklist.points if not point.passes)
        raise ChecklistIncomplete(f"Blocked: point {blocked}.")


def _need_prepared(close: CloseRun) -> None:
    """Both sign the same files."""
    prepared = CloseSignature.objects.filter(close_reference=close.reference, role=CloseSignature.Role.PREPARER)
    last = prepared.order_by("-id").first()
    if last is None or (last.files, last.ledger_root) != (_hashes(close), close.ledger_root):
        raise RecordsChanged("The files are not those that the preparer signed: send it back and run it once more.")


def _need_proof(close: CloseRun) -> Proof:
    """Return what making the files again came to. Raises NotProved or RecordsChanged."""
    proof = proof_of(close)
    if proof is None:
        raise NotProved
    if proof.differing:
        raise RecordsChanged(f"{', '.join(proof.differing)} would be other files now.")
    return proof


def _whose(close: CloseRun) -> int | None:
    """Return the house, whose endpoints hear of it, also of a close that was made before the house was."""
    if close.operator_id is not None:
        return close.operator_id
    house = operators.house()
    return house.pk if house is not None else None


def _signed(close: CloseRun) -> dict[str, object]:
    return {"run": close.runs, "files": _hashes(close), "block": close.ledger_block, "root": close.ledger_root}


def _hashes(close: CloseRun) -> Mapping[str, str]:
    return dict(
        CloseArtifact.objects.filter(close_reference=close.reference).order_by("name").values_list("name", "sha256")
    )


def _sign(close: CloseRun, role: CloseSignature.Role, comment: str, actor: str, now: datetime) -> None:
    CloseSignature.objects.create(
        close_reference=close.reference,
        role=role,
        person=actor,
        comment=comment.strip()[:500],
        run=close.runs,
        files=_hashes(close),
        ledger_block=close.ledger_block,
        ledger_root=close.ledger_root,
        signed_at=now,
    )
