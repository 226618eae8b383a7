"""Close runs: one per book and business date, run as often as wished while it is open (DESIGN.md section 9).

1 trusted status reads of what has no known outcome yet: a gap is filled before it becomes an exception
2 seal the ledger: the newest root leaves with the manifest
3 freeze the window: one snapshot, one instant
4 checks, each one set-based query; the records' artifacts, from the same snapshot
5 open, refresh, heal exception cases; freeze the orders whose states conflict
6 movement report and what else tells of cases, as of the same instant
7 tell the orders what became of them: matched, exception, open; of a date opened again none is closed any more
8 put the artifacts in their place and record the run

Review, signatures and lock follow (`signing`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

import structlog
from django.db import IntegrityError
from django.db import transaction as db_transaction
from django.db.backends.utils import CursorWrapper

from ledger import assets, seals
from ledger.controls import clock, references, request_context
from ledger.controls.refusals import Refusal
from ledger.models import Block
from reconciliation import artifact_files, exception_cases, findings, leases, marks, status_reads, totals, transitions
from reconciliation.artifact_files import Made
from reconciliation.artifact_registry import every_artifact
from reconciliation.check_registry import every_check
from reconciliation.exception_cases import Tally
from reconciliation.models import CloseRun
from reconciliation.progress import Progress, Silent, shown_live
from reconciliation.snapshot import began_at, snapshot
from reconciliation.statements import matching
from reconciliation.status_reads import Reads
from reconciliation.windows import Window, business_date_of, window_of
from wallets import operators

log = structlog.get_logger(__name__)

_LOOK_AGAIN = timedelta(hours=1)
"""A date with standing cases is run again after this time, so that repaired breaks heal."""
_ONCE_A_DAY = timedelta(days=1)
"""So is one that nobody has signed yet, for what came late, ..."""
_FOR_SO_LONG = timedelta(days=35)
"""... but not for ever."""
_MOST_BLOCKS = 1_000


class DateNotBegun(Refusal):
    """This business date has not begun."""

    code = "date_not_begun"


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to, as of `as_of`; `seen_at` is when it began to look, by the database's clock. `zero_sum`: per asset,
    credits less debits of its postings in minor units: 0. `in_flight`: payouts within their gateway's pending horizon.
    `orders`: those created in the window.
    """

    close: CloseRun
    window: Window
    as_of: datetime
    seen_at: datetime
    records: Mapping[str, int]
    breaks: Mapping[str, int]
    cut_off: frozenset[str]
    cases: Tally
    zero_sum: Mapping[str, int]
    status_reads: Reads
    in_flight: int
    orders: int
    folder: Path


FIRST_DATE: Final = date(2000, 1, 1)
"""Dates are locked by their distance from this one."""


def ensure(*, environment: str, business_date: date, actor: str = transitions.CLOSE) -> CloseRun:
    """Return the close of a book's date, making it where there is none. Raises DateNotBegun."""
    close = CloseRun.objects.filter(environment=environment, business_date=business_date).first()
    if close is not None:
        return close
    now = clock.now()
    if business_date > business_date_of(environment=environment, instant=now):
        raise DateNotBegun(f"{business_date.isoformat()} has not begun.")
    if business_date < FIRST_DATE:
        raise DateNotBegun(f"No book has dates before {FIRST_DATE.isoformat()}.")
    window = window_of(environment=environment, business_date=business_date)
    house = operators.house()  # its endpoints hear of it
    close = CloseRun(
        reference=references.new(references.Prefix.CLOSE),
        environment=environment,
        operator_id=house.pk if house else None,
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
            with shown_live(close, progress or Silent()) as shown:
                return _run(close, token, shown)
        except BaseException as error:
            leases.give_up(close, token, error)
            raise


def _run(close: CloseRun, token: str, progress: Progress) -> Report:
    window = window_of_close(close)
    with artifact_files.workshop(window) as folder:
        return _steps(close, token, window, folder, progress)


def window_of_close(close: CloseRun) -> Window:
    """Return the window that the close was made with: a zone changed later does not move it."""
    return replace(
        window_of(environment=close.environment, business_date=close.business_date),
        start=close.window_from,
        end=close.window_to,
    )


def _steps(close: CloseRun, token: str, window: Window, folder: Path, progress: Progress) -> Report:
    checks, artifacts = every_check(), every_artifact()
    progress.plan(len(checks) + len(artifacts) + 7)
    progress.begin("Trusted status reads")
    read = status_reads.read(window=window, keep=lambda: leases.keep(close, token))
    progress.begin("Seal the ledger")
    block = _sealed(close.environment)
    leases.keep(close, token)
    progress.begin("Match statements")
    matching.match_environment(close.environment)
    leases.keep(close, token)
    with snapshot() as cursor:
        progress.begin("Window")
        as_of = clock.now()
        seen_at = began_at(cursor)
        found = findings.search(cursor=cursor, window=window, as_of=as_of, checks=checks, progress=progress)
        zero_sum = totals.zero_sum_of_window(cursor=cursor, window=window)
        in_flight = totals.in_flight(cursor=cursor, window=window, as_of=as_of)
        orders = totals.orders_of_window(cursor=cursor, window=window)
        made = _make(cursor, close, window, as_of, folder, progress, of_cases=False)
    leases.keep(close, token)
    progress.begin("Exception cases")
    tally = exception_cases.apply(close=close, found=found, checks=checks, as_of=as_of)
    leases.keep(close, token)
    with snapshot() as cursor:
        made += _make(cursor, close, window, as_of, folder, progress, of_cases=True)
    leases.keep(close, token)
    progress.begin("Orders' reconciliation states")
    marks.open_orders(close=close, window=window)
    marks.mark_orders(window=window, as_of=as_of)
    progress.begin("Record")
    report = Report(
        close=close,
        window=window,
        as_of=as_of,
        seen_at=seen_at,
        records={file.name.removesuffix(".csv"): file.rows for file in made},
        breaks=found.per_check,
        cut_off=found.cut_off,
        cases=tally,
        zero_sum=zero_sum,
        status_reads=read,
        in_flight=in_flight,
        orders=orders,
        folder=artifact_files.place_of(window),
    )
    return _record(report, token, in_order(made), folder, block)


def _make(
    cursor: CursorWrapper,
    close: CloseRun,
    window: Window,
    as_of: datetime,
    folder: Path,
    progress: Progress,
    *,
    of_cases: bool,
) -> list[Made]:
    return artifact_files.make(
        cursor=cursor,
        close_reference=close.reference,
        window=window,
        as_of=as_of,
        artifacts=[artifact for artifact in every_artifact() if artifact.of_cases == of_cases],
        folder=folder,
        progress=progress,
    )


def in_order(made: Sequence[Made]) -> list[Made]:
    """Return files in the order of their artifacts' places."""
    places = {artifact.name: artifact.place for artifact in every_artifact()}
    return sorted(made, key=lambda file: places[file.name])


def _sealed(environment: str) -> Block | None:
    """Seal what waits, a batch at a time, and return the newest block: its root leaves with the manifest."""
    for _ in range(_MOST_BLOCKS):
        if seals.seal(environment) is None:
            break
    return seals.newest(environment)


def _record(report: Report, token: str, made: Sequence[Made], folder: Path, block: Block | None) -> Report:
    """Put the files in their place, then say so: a run that dies in between is run again."""
    close, as_of = report.close, report.as_of
    provisional = as_of < report.window.end
    counts = {
        "records": report.records,
        "breaks": report.breaks,
        "cut_off": sorted(report.cut_off),
        "cases": asdict(report.cases),
        "status_reads": asdict(report.status_reads),
        "in_flight": report.in_flight,
        "orders": report.orders,
    }
    sums = texts_of(report.zero_sum)
    manifest = artifact_files.manifest(
        close_reference=close.reference,
        window=report.window,
        provisional=provisional,
        made=made,
        zero_sum=sums,
        ledger=block,
        folder=folder,
    )
    leases.keep(close, token)  # files of a run that lost its lease replace nobody's
    artifact_files.keep_signed(close, window=report.window)
    artifact_files.put_in_place([*made, manifest], window=report.window)
    with db_transaction.atomic():
        leases.finish(
            close,
            token,
            available_at=_next_run(report, provisional),
            provisional=provisional,
            last_run_at=as_of,
            seen_at=report.seen_at,
            counts=counts,
            control_totals={"files": {file.name: file.totals for file in made}, "zero_sum": sums},
            ledger_block=block.number if block is not None else None,
            ledger_root=block.root if block is not None else "",
        )
        artifact_files.list_under(close, [*made, manifest], window=report.window, now=as_of)
    root = block.root if block is not None else ""
    log.info(
        "close.run", close=close.reference, business_date=close.business_date.isoformat(), ledger_root=root, **counts
    )
    return replace(report, close=CloseRun.objects.get(pk=close.pk))


def texts_of(zero_sum: Mapping[str, int]) -> dict[str, str]:
    return {asset: assets.text(net, asset) for asset, net in zero_sum.items()}


def _next_run(report: Report, provisional: bool) -> datetime | None:
    """A run before the grace is over is no last word, nor is any before the signatures: what comes late belongs to the
    date too.
    """
    if provisional:
        return report.window.end
    if report.cases.standing:
        return report.as_of + _LOOK_AGAIN
    if report.as_of < report.window.signable_from:
        return report.window.signable_from
    return report.as_of + _ONCE_A_DAY if report.as_of < report.window.end + _FOR_SO_LONG else None
