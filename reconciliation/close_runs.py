"""Close runs: one per book and business date, run as often as wished while it is open (DESIGN.md section 9).

1 freeze the window: one snapshot, one instant
2 checks, each one set-based query
3 artifacts, from the same snapshot
4 open, refresh, heal exception cases; freeze the orders whose states conflict
5 tell the orders what became of them: matched, exception, open
6 put the artifacts in their place and record the run
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import structlog
from django.conf import settings
from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger import assets
from ledger.controls import clock, references, request_context
from ledger.controls.refusals import Refusal
from reconciliation import artifact_files, exception_cases, findings, leases, marks, totals, transitions
from reconciliation.artifact_files import Made
from reconciliation.artifact_registry import every_artifact
from reconciliation.check_registry import every_check
from reconciliation.exception_cases import Tally
from reconciliation.models import CloseRun
from reconciliation.progress import Progress, Silent
from reconciliation.snapshot import snapshot
from reconciliation.windows import Window, business_date_of, window_of

log = structlog.get_logger(__name__)

_LOOK_AGAIN = timedelta(hours=1)
"""A date with standing cases is run again after this time, so that repaired breaks heal."""


class DateNotBegun(Refusal):
    """This business date has not begun."""

    code = "date_not_begun"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to. `zero_sum`: per asset, credits less debits of its postings in minor units: 0."""

    close: CloseRun
    window: Window
    as_of: datetime
    records: Mapping[str, int]
    breaks: Mapping[str, int]
    cut_off: frozenset[str]
    cases: Tally
    zero_sum: Mapping[str, int]
    folder: Path


def ensure(*, environment: str, business_date: date, actor: str = transitions.CLOSE) -> CloseRun:
    """Return the close of a book's date, making it where there is none. Raises DateNotBegun."""
    close = CloseRun.objects.filter(environment=environment, business_date=business_date).first()
    if close is not None:
        return close
    window = window_of(environment=environment, business_date=business_date)
    now = clock.now()
    if business_date > business_date_of(environment=environment, instant=now):
        raise DateNotBegun(f"{business_date.isoformat()} has not begun.")
    close = CloseRun(
        reference=references.new(references.Prefix.CLOSE),
        environment=environment,
        business_date=business_date,
        window_from=window.start,
        window_to=window.end,
        available_at=window.end,
    )
    try:
        with db_transaction.atomic():
            transitions.begin(close, actor=actor, now=now)
    except IntegrityError:
        return CloseRun.objects.get(environment=environment, business_date=business_date)
    return close


def run(*, close: CloseRun, progress: Progress | None = None) -> Report:
    """Run a close and return what it came to. Outside any transaction; safe twice and at once.

    Raises CloseBusy or CloseNotOpen, and leases.LeaseLost when another run has taken over.
    """
    token = leases.take(close)
    close = CloseRun.objects.get(pk=close.pk)
    request_id = request_context.request_id() or references.new(references.Prefix.REQUEST)
    with request_context.bound(request_id=request_id, close_reference=close.reference):
        try:
            return _run(close, token, progress or Silent())
        except BaseException as error:
            leases.give_up(close, token, error)
            raise


def _run(close: CloseRun, token: str, progress: Progress) -> Report:
    window = replace(
        window_of(environment=close.environment, business_date=close.business_date),
        start=close.window_from,
        end=close.window_to,
    )
    with artifact_files.workshop(window) as folder:
        return _steps(close, token, window, folder, progress)


def _steps(close: CloseRun, token: str, window: Window, folder: Path, progress: Progress) -> Report:
    checks, artifacts = every_check(), every_artifact()
    progress.plan(len(checks) + len(artifacts) + 4)
    with snapshot() as cursor:
        progress.begin("Window")
        as_of = clock.now()
        found = findings.search(cursor=cursor, window=window, as_of=as_of, checks=checks, progress=progress)
        made = artifact_files.make(
            cursor=cursor, window=window, as_of=as_of, artifacts=artifacts, folder=folder, progress=progress
        )
        zero_sum = totals.zero_sum_of_window(cursor=cursor, window=window)
    leases.keep(close, token)
    progress.begin("Exception cases")
    tally = exception_cases.apply(close=close, found=found, checks=checks, as_of=as_of)
    leases.keep(close, token)
    progress.begin("Orders' reconciliation states")
    marks.mark_orders(window=window, as_of=as_of)
    progress.begin("Record")
    report = Report(
        close=close,
        window=window,
        as_of=as_of,
        records={file.name.removesuffix(".csv"): file.rows for file in made},
        breaks=found.per_check,
        cut_off=found.cut_off,
        cases=tally,
        zero_sum=zero_sum,
        folder=settings.ARTIFACTS_ROOT / artifact_files.folder_of(window),
    )
    return _record(report, token, made, folder)


def _record(report: Report, token: str, made: Sequence[Made], folder: Path) -> Report:
    """Put the files in their place, then say so: a run that dies in between is run again."""
    close, as_of = report.close, report.as_of
    provisional = as_of < report.window.end
    counts = {"records": report.records, "breaks": report.breaks, "cases": asdict(report.cases)}
    sums = {asset: assets.text(net, asset) for asset, net in report.zero_sum.items()}
    manifest = artifact_files.manifest(
        close_reference=close.reference,
        window=report.window,
        provisional=provisional,
        made=made,
        zero_sum=sums,
        folder=folder,
    )
    artifact_files.put_in_place([*made, manifest], window=report.window)
    with db_transaction.atomic():
        leases.finish(
            close,
            token,
            available_at=_next_run(report, provisional),
            provisional=provisional,
            last_run_at=as_of,
            counts=counts,
            control_totals={"files": {file.name: file.totals for file in made}, "zero_sum": sums},
        )
        artifact_files.list_under(close, [*made, manifest], window=report.window, now=as_of)
    log.info("close.run", close=close.reference, business_date=close.business_date.isoformat(), **counts)
    return replace(report, close=CloseRun.objects.get(pk=close.pk))


def _next_run(report: Report, provisional: bool) -> datetime | None:
    if provisional:
        return report.window.end
    return report.as_of + _LOOK_AGAIN if report.cases.standing else None
