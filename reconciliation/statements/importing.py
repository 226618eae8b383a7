"""A statement's way in: received, tried out, imported.

1 receive: the bytes are kept; the same bytes of a source are one file, however often they come
2 dry run: every line, what it is, what it would be matched with; nothing changes (`trial`)
3 import: all lines or none, in one transaction; a line whose id came before is known, and must say the same
4 match: what ids or exact amounts find (`matching`)
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final

from django.db import IntegrityError, connection
from django.db import transaction as db_transaction

from ledger.controls import references
from ledger.controls.moves import Why
from ledger.controls.refusals import Malformed, NotFound, Refusal
from reconciliation import schedule, transitions
from reconciliation.models import StatementFile, StatementLine, StatementSource
from reconciliation.statements import reading
from reconciliation.statements.csv_lines import NotThisFormat
from reconciliation.statements.dates import open_date
from reconciliation.statements.line import Line, WrongLine

LARGEST: Final = 32 * 1024 * 1024
MOST_LINES: Final = 200_000
_BATCH: Final = 1_000
_SAID: Final = (
    "booked_on",
    "value_on",
    "asset",
    "amount_minor",
    "our_key",
    "our_reference",
    "provider_reference",
    "partner_order_id",
    "quote_reference",
)
"""What a line that comes again must say again."""


class FileTooLarge(Malformed):
    """A statement has at most 32 megabytes and 200,000 lines."""

    code = "statement_too_large"
    status = 413


class EmptyFile(Malformed):
    """The file is empty."""

    code = "statement_empty"


class FileRefused(Refusal):
    """A line of this statement is wrong: nothing is imported."""

    code = "statement_refused"


class FileEnded(Refusal):
    """This file is imported or discarded already."""

    code = "statement_file_ended"
    status = 409


@dataclass(frozen=True, slots=True)
class Shown:
    """One line as it would be imported: `kind` is new, known or wrong. `changes` are (field, before, now) of a known id;
    `match` says what it would be matched with, or why with nothing.
    """

    number: int
    kind: str
    line: Line | None
    errors: Sequence[str]
    changes: Sequence[tuple[str, str, str]] = ()
    match: str = ""
    matched: bool = False


def receive(*, source: StatementSource, name: str, content: bytes, actor: str, now: datetime) -> StatementFile:
    """Keep a file's bytes, or return the file that has them already. Raises FileTooLarge or EmptyFile."""
    if len(content) > LARGEST:
        raise FileTooLarge
    if not content.strip():
        raise EmptyFile
    digest = hashlib.sha256(content).hexdigest()
    found = _standing(source, digest)
    if found is not None:
        return found
    file = StatementFile(
        reference=references.new(references.Prefix.STATEMENT_FILE),
        environment=source.environment,
        operator_id=source.operator_id,
        source=source,
        name="".join(letter for letter in name if letter.isprintable())[:200] or "statement",
        size=len(content),
        sha256=digest,
        content=content,
        mapping=source.mapping,
        received_by=actor,
    )
    try:
        with db_transaction.atomic():
            transitions.receive_file(file, why=Why(actor, "statement received"), now=now)
    except IntegrityError:
        found = _standing(source, digest)
        if found is None:
            raise
        return found
    return file


def take_in(*, reference: str, actor: str, now: datetime) -> StatementFile:
    """Import a received file: all its lines or none. Raises NotFound, FileEnded or FileRefused.

    Reads it in batches, in one transaction. Matching is the caller's next step, in transactions of its own.
    """
    with db_transaction.atomic():
        file = _locked(reference)
        _one_import_at_a_time(file.source)
        counts: Counter[str] = Counter()
        dates: dict[date, date] = {}
        seen: set[str] = set()
        try:
            for batch in lines_of(file):
                counts.update(_take_batch(file, batch, dates, seen, now))
        except NotThisFormat as error:
            raise FileRefused(str(error)) from error
        if not counts:
            raise FileRefused("The file has no lines.")
        transitions.take_in_file(
            file,
            values={"new_lines": counts["new"], "known_lines": counts["known"]},
            why=Why(actor, "statement imported", evidence={"sha256": file.sha256, **counts}),
            now=now,
        )
        schedule.look_again(environment=file.environment, dates=set(dates.values()), now=now)
    return file


def discard(*, reference: str, actor: str, now: datetime) -> StatementFile:
    """Put a received file aside; the same bytes may then come again. Raises NotFound or FileEnded."""
    with db_transaction.atomic():
        file = _locked(reference)
        transitions.discard_file(file, why=Why(actor, "statement discarded"), now=now)
    return file


def lines_of(file: StatementFile) -> Iterator[list[Line | WrongLine]]:
    """Yield a file's lines in batches. Raises NotThisFormat, or FileTooLarge after the most lines."""
    found = reading.lines(content=bytes(file.content), source=file.source, kept_mapping=_mapping(file))
    count = 0
    while batch := list(islice(found, _BATCH)):
        count += len(batch)
        if count > MOST_LINES:
            raise FileTooLarge
        yield batch


def judged(file: StatementFile, batch: Sequence[Line | WrongLine]) -> Iterator[Shown]:
    """Say of each line whether it is new, known or wrong."""
    known = _known(file.source, batch)
    for found in batch:
        if isinstance(found, WrongLine):
            yield Shown(found.number, "wrong", None, found.errors)
        elif (before := known.get(found.line_id)) is None:
            yield Shown(found.number, "new", found, ())
        else:
            yield _again(found, before)


def _take_batch(
    file: StatementFile, batch: Sequence[Line | WrongLine], dates: dict[date, date], seen: set[str], now: datetime
) -> Counter[str]:
    counts: Counter[str] = Counter()
    fresh: list[StatementLine] = []
    for row in judged(file, batch):
        line = row.line
        if line is None or row.kind == "wrong":
            raise FileRefused(f"Line {row.number}: {' '.join(row.errors)}")
        if line.line_id in seen:
            raise FileRefused(f"Line {row.number}: the id {line.line_id!r} stands in the file more than once.")
        seen.add(line.line_id)
        counts[row.kind] += 1
        if row.kind == "new":
            fresh.append(_row(file, line, open_date(file.environment, line.booked_on, dates), now))
    StatementLine.objects.bulk_create(fresh)
    return counts


def _again(line: Line, before: StatementLine) -> Shown:
    changes = [
        (name, _text(getattr(before, name)), _text(getattr(line, name)))
        for name in _SAID
        if _text(getattr(before, name)) != _text(getattr(line, name))
    ]
    errors = [f"{line.line_id} came before and said otherwise ({', '.join(name for name, _, _ in changes)})."]
    return Shown(line.number, "wrong" if changes else "known", line, errors if changes else (), changes)


def _text(value: object) -> str:
    return "" if value is None else str(int(value)) if isinstance(value, Decimal) else str(value)


def _known(source: StatementSource, batch: Sequence[Line | WrongLine]) -> Mapping[str, StatementLine]:
    ids = [found.line_id for found in batch if isinstance(found, Line)]
    return {row.line_id: row for row in StatementLine.objects.filter(source=source, line_id__in=ids)}


def _row(file: StatementFile, line: Line, business_date: date, now: datetime) -> StatementLine:
    return StatementLine(
        reference=references.new(references.Prefix.STATEMENT_LINE),
        environment=file.environment,
        operator_id=file.operator_id,
        source=file.source,
        file=file,
        number=line.number,
        line_id=line.line_id,
        business_date=business_date,
        raw=dict(line.raw),
        description=line.description,
        imported_at=now,
        **{name: getattr(line, name) for name in _SAID},
    )


def _mapping(file: StatementFile) -> Mapping[str, Any]:
    """A file that waits is read as its source says now; an imported one as it said then."""
    kept: Mapping[str, Any] = file.mapping if file.state == StatementFile.State.IMPORTED else file.source.mapping
    return kept


def _standing(source: StatementSource, digest: str) -> StatementFile | None:
    return (
        StatementFile.objects.filter(source=source, sha256=digest)
        .exclude(state=StatementFile.State.DISCARDED)
        .defer("content")
        .first()
    )


def _locked(reference: str) -> StatementFile:
    file = StatementFile.objects.select_for_update(of=("self",)).filter(reference=reference).first()
    if file is None:
        raise NotFound(f"There is no statement file {reference}.")
    if file.state != StatementFile.State.RECEIVED:
        raise FileEnded
    return file


def _one_import_at_a_time(source: StatementSource) -> None:
    """Two files of a source may bring the same line at once: the second sees it as known."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(743001, %s)", [source.pk])
