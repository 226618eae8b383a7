"""Makes a close's files: streamed from Postgres by COPY under a passing name, hashed, put in their place at the end."""

import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Context, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from django.conf import settings
from django.db.backends.utils import CursorWrapper
from psycopg import sql

from ledger.models import Block
from reconciliation.artifact import Artifact
from reconciliation.models import CloseArtifact, CloseRun, CloseSignature
from reconciliation.progress import Progress
from reconciliation.windows import Parameters, Window

MANIFEST = "manifest.json"

_EXACT = Context(prec=200)
_WORKSHOP = ".making-"


@dataclass(frozen=True, slots=True)
class Made:
    """A file made and not yet in its place: it still lies at `passing`."""

    name: str
    rows: int
    size: int
    sha256: str
    passing: Path
    totals: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def folder_of(window: Window) -> Path:
    return Path(window.environment) / window.business_date.isoformat()


@contextmanager
def workshop(window: Window) -> Iterator[Path]:
    """A folder to make files in, beside their place; what is left in it at the end was not meant to stay."""
    place = settings.ARTIFACTS_ROOT / folder_of(window)
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left_over in place.glob(f"{_WORKSHOP}*"):  # of a run that died: whoever holds the lease is alone here
        shutil.rmtree(left_over, ignore_errors=True)
    with TemporaryDirectory(prefix=_WORKSHOP, dir=place, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def make(
    *,
    cursor: CursorWrapper,
    close_reference: str,
    window: Window,
    as_of: datetime,
    artifacts: Sequence[Artifact],
    folder: Path,
    progress: Progress,
) -> list[Made]:
    """Write artifacts into the workshop."""
    parameters: Parameters = {**window.parameters(), "as_of": as_of, "close": close_reference}
    made = []
    for artifact in artifacts:
        progress.begin(artifact.name)
        made.append(_stream(cursor, artifact, folder, parameters))
    return made


def manifest(
    *,
    close_reference: str,
    window: Window,
    provisional: bool,
    made: Sequence[Made],
    zero_sum: Mapping[str, str],
    ledger: Block | None,
    folder: Path,
) -> Made:
    """Write what the files are: rows, control totals, SHA-256, and the ledger's root, that it leaves the database.

    Says nothing of when they were made: made again, the same records give the same bytes.
    """
    content = {
        "close_id": close_reference,
        "environment": window.environment,
        "business_date": window.business_date.isoformat(),
        "zone": window.zone,
        "window": {"from": _text(window.start), "to": _text(window.end)},
        "provisional": provisional,
        "files": [
            {
                "name": file.name,
                "rows": file.rows,
                "bytes": file.size,
                "sha256": file.sha256,
                "control_totals": file.totals,
            }
            for file in made
        ],
        "zero_sum": dict(zero_sum),
        "ledger": {"block": ledger.number, "root": ledger.root} if ledger is not None else None,
    }
    body = (json.dumps(content, indent=2, sort_keys=True) + "\n").encode()
    with _new_file(folder / MANIFEST) as file:
        file.write(body)
    return Made(MANIFEST, 0, len(body), hashlib.sha256(body).hexdigest(), folder / MANIFEST)


def place_of(window: Window) -> Path:
    return Path(settings.ARTIFACTS_ROOT) / folder_of(window)


def keep_signed(close: CloseRun, *, window: Window) -> None:
    """Keep the files that a reviewer signed beside their place, before those of another run take their names. Safe twice."""
    signed = CloseSignature.objects.filter(close_reference=close.reference, role=CloseSignature.Role.REVIEWER)
    last = signed.order_by("-id").first()
    rows = CloseArtifact.objects.filter(close_reference=close.reference).values_list("name", "sha256")
    if last is None or last.files != dict(rows):
        return
    place = place_of(window)
    kept = place.with_name(f"{place.name}.signed-{last.run}")
    if kept.exists():
        return
    with TemporaryDirectory(prefix=_WORKSHOP, dir=place, ignore_cleanup_errors=True) as folder:
        whole = Path(folder) / kept.name
        whole.mkdir(mode=0o700)
        for name in last.files:
            if (place / name).is_file():
                os.link(place / name, whole / name)
        os.rename(whole, kept)


def put_in_place(made: Sequence[Made], *, window: Window) -> None:
    """Give every file its name; each replaces the one before it at once and whole."""
    place = settings.ARTIFACTS_ROOT / folder_of(window)
    for file in made:
        os.replace(file.passing, place / file.name)


def list_under(close: CloseRun, made: Sequence[Made], *, window: Window, now: datetime) -> None:
    """Record which files a close has, in the caller's transaction."""
    CloseArtifact.objects.filter(close_reference=close.reference).delete()
    CloseArtifact.objects.bulk_create(
        CloseArtifact(
            close_reference=close.reference,
            name=file.name,
            rows=file.rows,
            size=file.size,
            sha256=file.sha256,
            path=str(folder_of(window) / file.name),
            made_at=now,
        )
        for file in made
    )


def _stream(cursor: CursorWrapper, artifact: Artifact, folder: Path, parameters: Parameters) -> Made:
    passing = folder / artifact.name
    digest = hashlib.sha256()
    size = 0
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)").format(sql.SQL(artifact.query))
    with _new_file(passing) as file, cursor.copy(statement, parameters) as copy:
        for block in copy:
            file.write(block)
            digest.update(block)
            size += len(block)
    rows = cursor.rowcount
    totals = _control_totals(cursor, artifact, parameters)
    return Made(artifact.name, rows, size, digest.hexdigest(), passing, totals)


def _control_totals(cursor: CursorWrapper, artifact: Artifact, parameters: Parameters) -> dict[str, dict[str, str]]:
    """Count and sum the very cells of the file, in one query over the same snapshot."""
    keys = [*artifact.counted, *(asset for asset, _ in artifact.summed)]
    if not keys:
        return {}
    names = sql.SQL(", ").join(sql.Identifier(key) for key in keys)
    sums = [sql.SQL(", sum({}::numeric)").format(sql.Identifier(amount)) for _, amount in artifact.summed]
    cursor.execute(
        sql.SQL("SELECT {names}, count(*){sums} FROM ({query}) AS cells GROUP BY {names}").format(
            names=names, sums=sql.SQL("").join(sums), query=sql.SQL(artifact.query)
        ),
        parameters,
    )
    counts: dict[str, Counter[str]] = {name: Counter() for name in artifact.counted}
    amounts: dict[str, dict[str, Decimal]] = {amount: {} for _, amount in artifact.summed}
    for row in cursor.fetchall():
        group, rows, summed = row[: len(keys)], row[len(keys)], row[len(keys) + 1 :]
        for name, value in zip(artifact.counted, group, strict=False):
            counts[name][value or ""] += rows
        for (_, amount), asset, total in zip(artifact.summed, group[len(artifact.counted) :], summed, strict=True):
            amounts[amount][asset] = _EXACT.add(amounts[amount].get(asset, Decimal(0)), total)
    return {
        **{name: {value: str(rows) for value, rows in sorted(found.items())} for name, found in counts.items()},
        **{name: {asset: f"{total:f}" for asset, total in sorted(found.items())} for name, found in amounts.items()},
    }


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Write a file that only we can read, and see it on disk before it gets its name."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _text(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
