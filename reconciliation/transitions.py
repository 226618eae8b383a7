"""Every move of closes and exception cases: the only caller of their FSM methods, through `moves.move`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ledger.controls.moves import Birth, Change, Why, move
from reconciliation.models import CloseRun, ExceptionCase, StatementFile, StatementMatch

CLOSE = "close"


def begin(close: CloseRun, *, actor: str, now: datetime) -> None:
    move(Birth(close), why=Why(actor, "business date ensured"), now=now)


def found(cases: Sequence[ExceptionCase], *, close: CloseRun, now: datetime) -> None:
    """Open the cases of new breaks."""
    move(*(Birth(case) for case in cases), why=_why(close, "break found"), now=now)


def found_again(case: ExceptionCase, *, values: Mapping[str, Any], close: CloseRun, now: datetime) -> None:
    move(Change(case, "reopen", values), why=_why(close, "break found again"), now=now)


def found_otherwise(
    case: ExceptionCase, *, values: Mapping[str, Any], approved: Mapping[str, Any], close: CloseRun, now: datetime
) -> None:
    """Open a case again whose break is no longer the one that was approved; `approved` says which that was."""
    found = {"detail": values["detail"], "asset": values["asset"], "amount_minor": str(values["amount_minor"])}
    why = _why(close, "approved break has changed", approved=approved, found=found)
    move(Change(case, "reopen", values), why=why, now=now)


def healed(cases: Sequence[ExceptionCase], *, close: CloseRun, now: datetime) -> None:
    """Resolve the cases whose breaks a later run no longer finds."""
    values = {"resolution": f"Healed: the close of {close.business_date.isoformat()} no longer finds it."}
    move(*(Change(case, "resolve", values) for case in cases), why=_why(close, "break no longer found"), now=now)


def assign(case: ExceptionCase, *, values: Mapping[str, Any], why: Why, now: datetime) -> None:
    move(Change(case, "assign", values), why=why, now=now)


def approved(case: ExceptionCase, *, values: Mapping[str, Any], why: Why, now: datetime) -> None:
    """A second person accepts a break as it is."""
    move(Change(case, "approve", values), why=why, now=now)


def submit(close: CloseRun, *, values: Mapping[str, Any], why: Why, now: datetime) -> None:
    """The preparer hands a close to review."""
    move(Change(close, "submit", values), why=why, now=now)


def sign_and_lock(close: CloseRun, *, values: Mapping[str, Any], why: Why, now: datetime) -> None:
    """The reviewer signs; with it the close is locked."""
    move(Change(close, "sign", values), why=why, now=now)
    move(Change(close, "lock"), why=why, now=now)


def reopen(close: CloseRun, *, values: Mapping[str, Any], why: Why, now: datetime) -> None:
    move(Change(close, "reopen", values), why=why, now=now)


def _why(close: CloseRun, cause: str, **more: Mapping[str, Any]) -> Why:
    evidence = {
        "close_id": close.reference,
        "business_date": close.business_date.isoformat(),
        "run": close.runs + 1,
        **more,
    }
    return Why(CLOSE, cause, evidence=evidence)


def receive_file(file: StatementFile, *, why: Why, now: datetime) -> None:
    move(Birth(file), why=why, now=now)


def take_in_file(file: StatementFile, *, values: Mapping[str, Any], why: Why, now: datetime) -> None:
    move(Change(file, "take_in", {**values, "mapping": file.source.mapping}), why=why, now=now)


def discard_file(file: StatementFile, *, why: Why, now: datetime) -> None:
    move(Change(file, "discard"), why=why, now=now)


def match_line(match: StatementMatch, *, why: Why, now: datetime) -> None:
    move(Birth(match), why=why, now=now)


def undo_match(match: StatementMatch, *, why: Why, now: datetime) -> None:
    move(Change(match, "undo"), why=why, now=now)
