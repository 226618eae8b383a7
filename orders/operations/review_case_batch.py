"""The same thing done to many review cases at once, each in its own transaction and with its own result."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from django.conf import settings
from django.db import connection

from ledger.controls import clock
from ledger.controls.refusals import Malformed, Refusal
from orders.operations import review_case

MOST: Final = 100
_ABREAST: Final = 4
_PATIENCE_SECONDS: Final = 10.0


class TooMany(Malformed):
    """At most 100 cases at once, and at least one."""

    code = "too_many_cases"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one case: `told` is what was done, or why not. `later`: the workers do it, and the case will show it."""

    case_reference: str
    done: bool
    told: str
    later: bool = False


def assign_cases(
    *, case_references: Sequence[str], owner: str, next_review_on: date | None, actor: str, now: datetime
) -> list[Result]:
    """Give each case to a person. Raises TooMany; a refusal of one is its result and stops no other."""

    def assign(reference: str) -> str:
        case = review_case.assign_case(
            case_reference=reference, owner=owner, next_review_on=next_review_on, actor=actor, now=now
        )
        return f"Assigned to {case.owner}, next review {case.next_review_on}."

    return [_result(reference, assign) for reference in _bounded(case_references)]


def look_up_cases(*, case_references: Sequence[str], actor: str) -> list[Result]:
    """Look each case up: here, a few abreast and no longer than a person waits, the others by the workers.

    Adds evidence, moves no money. Raises TooMany. Outside any transaction.
    """

    def look_up(reference: str) -> str:
        outcome = review_case.look_up_now(case_reference=reference, actor=actor, now=clock.now())
        return review_case.told(outcome)

    def hand_over(reference: str) -> str:
        review_case.look_up_later(case_reference=reference, actor=actor, now=clock.now())
        return "The workers look it up next: the case will show what they hear."

    wanted = _bounded(case_references)
    ends = clock.monotonic() + _PATIENCE_SECONDS

    def in_time(reference: str) -> Result:
        if clock.monotonic() < ends:
            return _result(reference, look_up)
        result = _result(reference, hand_over)
        return replace(result, done=False, later=result.done)

    if settings.SAGA_THREADS == 1:
        return [in_time(reference) for reference in wanted]
    with ThreadPoolExecutor(max_workers=_ABREAST) as pool:
        asked = [_submitted(pool, reference, in_time) for reference in wanted]
        return [future.result() for future in asked]


def _bounded(case_references: Sequence[str]) -> list[str]:
    wanted = list(dict.fromkeys(case_references))
    if not 0 < len(wanted) <= MOST:
        raise TooMany
    return wanted


def _result(reference: str, work: Callable[[str], str]) -> Result:
    try:
        return Result(reference, True, work(reference))
    except Refusal as refusal:
        return Result(reference, False, refusal.message)


def _submitted(pool: ThreadPoolExecutor, reference: str, work: Callable[[str], Result]) -> "Future[Result]":
    """Hand one case to a thread, with this thread's clock and request id."""
    context = copy_context()
    return pool.submit(lambda: context.run(_in_thread, reference, work))


def _in_thread(reference: str, work: Callable[[str], Result]) -> Result:
    try:
        return work(reference)
    finally:
        connection.close()
