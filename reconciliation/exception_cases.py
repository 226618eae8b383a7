"""Exception cases: opened, refreshed and healed by what a run finds; assigned by people.

A case names one record under one exception type for ever: found again, the same case opens again. So does an approved one whose
break has changed since; approved or not, it heals when its break is gone.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db import connection
from django.db import transaction as db_transaction
from django.db.models import Q, QuerySet

from ledger.controls import clock, references, roles
from ledger.controls.moves import Why
from ledger.controls.refusals import NotFound, Refusal
from ledger.controls.roles import Ability
from orders.operations.freeze_order import AlreadyFrozen, freeze_intent, freeze_order
from reconciliation import close_findings, transitions
from reconciliation.check import Check, Finding
from reconciliation.check_registry import lasting
from reconciliation.findings import Found
from reconciliation.models import CloseFinding, CloseRun, ExceptionCase, ExceptionNote
from reconciliation.windows import business_date_of, next_business_day

T = TypeVar("T")

_BATCH = 200
_LIVE = (ExceptionCase.State.OPEN, ExceptionCase.State.ASSIGNED)
_HEALS = (*_LIVE, ExceptionCase.State.APPROVED)
_FROZEN_BECAUSE = "terminal state conflict"
_LONGEST_OWNER = 150


class CaseEnded(Refusal):
    """This exception case is resolved or approved: there is nothing to assign."""

    code = "case_ended"
    status = 409


class ReviewDatePassed(Refusal):
    """The next review date lies in the past."""

    code = "review_date_passed"


class OwnerMissing(Refusal):
    """An exception case needs an owner."""

    code = "owner_missing"


class OwnerUnknown(Refusal):
    """An exception case is given to somebody who is active here and may work exceptions."""

    code = "owner_unknown"


class NothingWritten(Refusal):
    """A note needs words."""

    code = "nothing_written"


@dataclass(frozen=True, slots=True)
class Tally:
    """What a run did to cases. `standing`: those of its date that are neither resolved nor approved afterwards."""

    opened: int
    refreshed: int
    reopened: int
    healed: int
    standing: int


def apply(*, close: CloseRun, found: Found, checks: Sequence[Check], as_of: datetime) -> Tally:
    """Bring the cases in line with what a run found at `as_of`. Opens transactions of its own, a batch each."""
    by_name = {check.name: check for check in checks}
    count: Counter[str] = Counter()
    for batch in _batches(found.findings):
        with db_transaction.atomic():
            one_run_at_a_time(close.environment)
            count.update(_batch_found(close, batch, by_name, as_of))
    named = {(finding.type, finding.subject) for finding in found.findings}
    looked_for = [name for name in by_name if name not in found.cut_off]
    gone = [
        case.pk
        for case in _of(close, _HEALS).filter(type__in=looked_for, last_seen_at__lte=as_of).order_by("pk")
        if (case.type, case.subject) not in named
    ]
    for pks in _batches(gone):
        with db_transaction.atomic():
            one_run_at_a_time(close.environment)
            missing = list(_of(close, _HEALS).select_for_update().filter(pk__in=pks).order_by("pk"))
            healed = _found_nowhere_else(close, missing)
            if healed:
                transitions.healed(healed, close=close, now=clock.now())
            count["healed"] += len(healed)
    with db_transaction.atomic():
        one_run_at_a_time(close.environment)
        close_findings.write(close=close, found=named)
    return Tally(
        opened=count["opened"],
        refreshed=count["refreshed"],
        reopened=count["reopened"],
        healed=count["healed"],
        standing=_of(close, _LIVE).count(),
    )


def assign_case(*, case_reference: str, owner: str, next_review_on: date, actor: str, now: datetime) -> ExceptionCase:
    """Name an owner, who has to be active and work exceptions, and the next review date.

    Opens its own transaction. An assigned case may be assigned again; each time is a move with its audit row.

    Raises NotFound, CaseEnded, OwnerMissing, OwnerUnknown or ReviewDatePassed.
    """
    owner = owner.strip()
    if not owner:
        raise OwnerMissing(errors={"owner": ["Name an owner."]})
    if not roles.works(owner, Ability.WORK_EXCEPTIONS):
        raise OwnerUnknown(f"There is no active person {owner[:_LONGEST_OWNER]!r} who may work exceptions.")
    with db_transaction.atomic():
        case = ExceptionCase.objects.select_for_update().filter(reference=case_reference).first()
        if case is None:
            raise NotFound(f"There is no exception case {case_reference}.")
        if case.state not in _LIVE:
            raise CaseEnded
        if next_review_on < business_date_of(environment=case.environment, instant=now):
            raise ReviewDatePassed(errors={"next_review_on": ["This date lies in the past."]})
        transitions.assign(
            case,
            values={"owner": owner, "next_review_on": next_review_on},
            why=Why(actor, f"assigned to {owner}, next review {next_review_on.isoformat()}"),
            now=now,
        )
    return case


def one_run_at_a_time(environment: str) -> None:
    """Two dates may find the same record at once: the book's cases are brought in line one batch at a time."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 743000))", [environment])


def add_note(*, case_reference: str, text: str, author: str, now: datetime) -> ExceptionNote:
    """Keep what a person wrote on a case. Raises NotFound or NothingWritten."""
    if not text.strip():
        raise NothingWritten
    if not ExceptionCase.objects.filter(reference=case_reference).exists():
        raise NotFound(f"There is no exception case {case_reference}.")
    return ExceptionNote.objects.create(
        case_reference=case_reference, author=author, text=text.strip()[:4000], written_at=now
    )


def _batch_found(
    close: CloseRun, batch: Sequence[Finding], checks: Mapping[str, Check], as_of: datetime
) -> Counter[str]:
    """Order of locks: the orders and intents to freeze, then the cases."""
    now = clock.now()
    known = {(case.type, case.subject): case for case in _named_by(close, batch)}
    for finding in sorted(batch, key=lambda finding: finding.order_reference):
        if checks[finding.type].freezes and _opens(known.get((finding.type, finding.subject)), finding):
            _freeze(finding, now)
    locked = {(case.type, case.subject): case for case in _named_by(close, batch).select_for_update().order_by("pk")}
    first_review = next_business_day(business_date_of(environment=close.environment, instant=now))
    count: Counter[str] = Counter()
    births: list[ExceptionCase] = []
    for finding in batch:
        case = locked.get((finding.type, finding.subject))
        if case is None:
            births.append(_new(close, finding, checks[finding.type], first_review=first_review, as_of=as_of))
        elif _opens(case, finding):
            values = {
                **_seen(finding, as_of),
                "business_date": close.business_date,
                "next_review_on": first_review,
                "resolution": "",
            }
            if case.state == ExceptionCase.State.RESOLVED:
                transitions.found_again(case, values=values, close=close, now=now)
            else:
                transitions.found_otherwise(case, values=values, approved=_break_of(case), close=close, now=now)
            count["reopened"] += 1
        else:
            ExceptionCase.objects.filter(pk=case.pk).update(**_seen(finding, as_of))
            count["refreshed"] += 1
    if births:
        transitions.found(births, close=close, now=now)
    count["opened"] += len(births)
    return count


def _new(close: CloseRun, finding: Finding, check: Check, *, first_review: date, as_of: datetime) -> ExceptionCase:
    return ExceptionCase(
        reference=references.new(references.Prefix.EXCEPTION),
        environment=close.environment,
        operator_id=finding.operator_id,
        type=finding.type,
        subject=finding.subject,
        order_reference=finding.order_reference,
        business_date=close.business_date,
        owner=check.owner,
        next_review_on=first_review,
        first_action=check.first_action,
        **_seen(finding, as_of),
    )


def _seen(finding: Finding, as_of: datetime) -> dict[str, Any]:
    return {
        "asset": finding.asset,
        "amount_minor": Decimal(finding.amount_minor),
        "detail": dict(finding.detail),
        "last_seen_at": as_of,
    }


def _opens(case: ExceptionCase | None, finding: Finding) -> bool:
    """Tell whether a break opens a case, the first time or again."""
    return case is None or case.state == ExceptionCase.State.RESOLVED or _approved_otherwise(case, finding)


def _approved_otherwise(case: ExceptionCase, finding: Finding) -> bool:
    """Tell whether what was approved has become another break; the same one stays approved."""
    return case.state == ExceptionCase.State.APPROVED and _break_of(case) != _break_of(finding)


def _break_of(found: ExceptionCase | Finding) -> dict[str, Any]:
    return {
        "asset": found.asset,
        "amount_minor": str(int(found.amount_minor)),
        "detail": lasting(found.detail, of=found.type),
    }


def _freeze(finding: Finding, now: datetime) -> None:
    reference = finding.order_reference
    try:
        if reference.startswith(f"{references.Prefix.INTENT}_"):
            freeze_intent(intent_reference=reference, reason=_FROZEN_BECAUSE, actor=transitions.CLOSE, now=now)
        else:
            freeze_order(order_reference=reference, reason=_FROZEN_BECAUSE, actor=transitions.CLOSE, now=now)
    except (AlreadyFrozen, NotFound):
        return  # it stands still already, or there is nothing to stop


def _named_by(close: CloseRun, batch: Sequence[Finding]) -> QuerySet[ExceptionCase]:
    return ExceptionCase.objects.filter(
        environment=close.environment,
        type__in={finding.type for finding in batch},
        subject__in=[finding.subject for finding in batch],
    )


def _of(close: CloseRun, states: Sequence[ExceptionCase.State]) -> QuerySet[ExceptionCase]:
    """Return a close's cases in these states: of its date, or found by its last run (a record may belong to two dates)."""
    found = CloseFinding.objects.filter(close_reference=close.reference, found=True).values("case_reference")
    of_its_own = Q(business_date=close.business_date) | Q(reference__in=found)
    return ExceptionCase.objects.filter(of_its_own, environment=close.environment, state__in=states)


def _found_nowhere_else(close: CloseRun, cases: Sequence[ExceptionCase]) -> list[ExceptionCase]:
    """Return the cases that heal; one that another open close still finds becomes that date's."""
    others = {
        finding.case_reference: finding.close_reference
        for finding in CloseFinding.objects.filter(case_reference__in=[case.reference for case in cases], found=True)
        .exclude(close_reference=close.reference)
        .filter(close_reference__in=CloseRun.objects.exclude(state=CloseRun.State.LOCKED).values("reference"))
    }
    dates = dict(CloseRun.objects.filter(reference__in=others.values()).values_list("reference", "business_date"))
    for case in cases:
        if case.reference in others:
            ExceptionCase.objects.filter(pk=case.pk).update(business_date=dates[others[case.reference]])
    return [case for case in cases if case.reference not in others]


def _batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _BATCH):
        yield items[start : start + _BATCH]
