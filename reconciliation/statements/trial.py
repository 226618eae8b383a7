"""The dry run of a statement: what importing it would do, line by line, by the same path, rolled back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from django.db import transaction as db_transaction

from ledger.controls.refusals import Refusal
from reconciliation.models import StatementFile, StatementLine
from reconciliation.statements import importing, matching
from reconciliation.statements.csv_lines import NotThisFormat
from reconciliation.statements.importing import FileTooLarge, Shown

MOST_SHOWN: Final = 500
_MOST_BESIDE: Final = 5_000


@dataclass(frozen=True, slots=True)
class DryRun:
    """Counts are of all lines; `rows` are the first of them, wrong ones before others. `fault`: of the file whole."""

    counts: Counter[str] = field(default_factory=Counter)
    rows: Sequence[Shown] = ()
    fault: str = ""

    @property
    def stands(self) -> bool:
        return not self.fault and not self.counts["wrong"]


def dry_run(*, file: StatementFile, now: datetime) -> DryRun:
    """Say what importing a received file would do. Changes nothing."""
    counts: Counter[str] = Counter()
    wrong: list[Shown] = []
    others: list[Shown] = []
    try:
        for batch in importing.lines_of(file):
            for row in importing.judged(file, batch):
                counts[row.kind] += 1
                kept = wrong if row.kind == "wrong" else others
                if len(kept) < MOST_SHOWN:
                    kept.append(row)
    except (NotThisFormat, FileTooLarge) as error:
        return DryRun(counts, wrong, str(error))
    rows = [*wrong, *others][:MOST_SHOWN]
    if wrong:
        return DryRun(counts, rows)
    return _tried(DryRun(counts, rows), file, now)


def _tried(found: DryRun, file: StatementFile, now: datetime) -> DryRun:
    """Import it, look how its first lines would be matched, and roll back."""
    try:
        with db_transaction.atomic():
            importing.take_in(reference=file.reference, actor="dry run", now=now)
            lines = list(StatementLine.objects.filter(file__reference=file.reference).order_by("pk")[:MOST_SHOWN])
            pairing = matching.looked_at(source=file.source, lines=[*lines, *_beside(file, lines)])
            db_transaction.set_rollback(True)
    except Refusal as refusal:
        return replace(found, fault=refusal.message)
    shown = {line.pk for line in lines}
    pairs = [one for one in pairing.pairs if one.line.pk in shown]
    told = {one.line.number: f"{one.rule.label}: {one.candidate.key}" for one in pairs}
    told |= {line.number: because for line, because in pairing.because if line.pk in shown}
    matched = {one.line.number for one in pairs}
    rows = [replace(row, match=told.get(row.number, ""), matched=row.number in matched) for row in found.rows]
    return replace(found, rows=rows)


def _beside(file: StatementFile, lines: Sequence[StatementLine]) -> list[StatementLine]:
    """Return the source's other open lines of the same amounts: they may name, or want, what these would be matched with."""
    others = matching.unmatched().filter(
        source=file.source,
        asset__in={line.asset for line in lines},
        amount_minor__in={line.amount_minor for line in lines},
    )
    return list(others.exclude(pk__in=[line.pk for line in lines]).order_by("pk")[:_MOST_BESIDE])
