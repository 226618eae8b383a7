"""Makes a close's files again, as of the instant of its last run: the same records give the same bytes, next year too.

Rows are chosen by the window, states are read from moves until that instant, and the date takes nothing once it is locked.
So a difference means that something came late, or that somebody has changed what must not change.

Whoever makes them holds the close's lease: a run, a proof and another who makes them again stay away meanwhile. A person asks
(`ask`), a worker does it (`restore_asked`) and writes down what it came to.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.db.backends.utils import CursorWrapper

from ledger.controls import bell, clock
from ledger.controls.redaction import redacted
from ledger.controls.refusals import Refusal
from ledger.models import Block, Book
from reconciliation import artifact_files, leases, totals
from reconciliation.artifact_files import Made
from reconciliation.artifact_registry import every_artifact
from reconciliation.close_runs import texts_of, window_of_close
from reconciliation.models import CloseArtifact, CloseRun
from reconciliation.progress import Progress, Silent
from reconciliation.snapshot import snapshot
from reconciliation.windows import Window


class NeverRun(Refusal):
    """This close has no files yet: run it first."""

    code = "close_never_run"
    status = 409


class FilesDiffer(Refusal):
    """The files made again are not those that were recorded."""

    code = "close_files_differ"
    status = 409


@dataclass(frozen=True, slots=True)
class Amounts:
    """How many records of each kind a window has, by the time to which they belong."""

    postings: int
    moves: int
    events: int


def compare(close: CloseRun, *, progress: Progress | None = None) -> tuple[Amounts, frozenset[str]]:
    """Make every file again beside its place, and throw it away. Returns the window's amounts, and the names that differ.

    The caller holds the close's lease.
    """
    with artifact_files.workshop(window_of_close(close)) as folder:
        amounts, made = _made(close, folder, progress or Silent())
    recorded = dict(CloseArtifact.objects.filter(close_reference=close.reference).values_list("name", "sha256"))
    now = {file.name: file.sha256 for file in made}
    return amounts, frozenset(name for name in recorded.keys() | now.keys() if recorded.get(name) != now.get(name))


def restore(close: CloseRun, *, progress: Progress | None = None) -> list[str]:
    """Put the files of a close back in their place when they are, byte for byte, those that were recorded.

    Raises FilesDiffer, CloseBusy or leases.LeaseLost, and changes nothing then.
    """
    window = window_of_close(close)
    with leases.held(close) as token, artifact_files.workshop(window) as folder:
        close = CloseRun.objects.get(pk=close.pk)
        recorded = dict(CloseArtifact.objects.filter(close_reference=close.reference).values_list("name", "sha256"))
        _, made = _made(close, folder, progress or Silent())
        differing = [file.name for file in made if recorded.get(file.name) != file.sha256]
        if differing:
            raise FilesDiffer(f"{', '.join(differing)} would be other files now.")
        leases.keep_held(close, token)
        artifact_files.put_in_place(made, window=window)
    return [file.name for file in made]


def ask(close: CloseRun, *, actor: str, now: datetime) -> None:
    """Have a worker put a close's files back in their place. Raises NeverRun."""
    if close.last_run_at is None:
        raise NeverRun
    CloseRun.objects.filter(pk=close.pk).update(files_asked_at=now, files_asked_by=actor)
    bell.ring_after_commit("closes")


def restore_asked(close: CloseRun) -> None:
    """Do what was asked and write down what it came to. Raises CloseBusy: it is asked for still.

    A defect is written down, and raised.
    """
    try:
        files, failed = len(restore(close)), ""
    except leases.CloseBusy:
        raise
    except Refusal as refusal:
        files, failed = 0, refusal.message
    except Exception as error:
        _came_to(close, files=0, failed=f"{type(error).__name__}: {redacted(str(error))}"[:300])
        raise
    _came_to(close, files=files, failed=failed)


def _came_to(close: CloseRun, *, files: int, failed: str) -> None:
    """Whoever has asked again meanwhile gets it made again."""
    told = {"by": close.files_asked_by, "at": clock.now().isoformat(), "files": files, "failed": failed}
    CloseRun.objects.filter(pk=close.pk, files_asked_at=close.files_asked_at).update(
        files_asked_at=None, files_made_again=told
    )


def amounts_to(cursor: CursorWrapper, window: Window) -> Amounts:
    """Count the window's records as of this statement."""
    cursor.execute(_AMOUNTS, window.parameters())
    row = cursor.fetchone()
    assert row is not None
    return Amounts(*(int(number) for number in row))


_AMOUNTS = """
SELECT (SELECT count(*) FROM ledger_transaction x WHERE x.book_id = %(book)s AND x.effective_at >= %(from)s
        AND x.effective_at < %(to)s),
       (SELECT count(*) FROM ledger_move m WHERE m.environment = %(environment)s AND m.moved_at >= %(from)s
        AND m.moved_at < %(to)s),
       (SELECT count(*) FROM ledger_event_ever e WHERE e.environment = %(environment)s AND e.recorded_at >= %(from)s
        AND e.recorded_at < %(to)s)
"""


def _made(close: CloseRun, folder: Path, progress: Progress) -> tuple[Amounts, list[Made]]:
    if close.last_run_at is None:
        raise NeverRun
    window = window_of_close(close)
    with snapshot() as cursor:
        amounts = amounts_to(cursor, window)
        zero_sum = totals.zero_sum_of_window(cursor=cursor, window=window)
        made = artifact_files.make(
            cursor=cursor,
            close_reference=close.reference,
            window=window,
            as_of=close.last_run_at,
            artifacts=every_artifact(),
            folder=folder,
            progress=progress,
        )
        block = _block(close)
    manifest = artifact_files.manifest(
        close_reference=close.reference,
        window=window,
        provisional=close.provisional,
        made=made,
        zero_sum=texts_of(zero_sum),
        ledger=block,
        folder=folder,
    )
    return amounts, [*made, manifest]


def _block(close: CloseRun) -> Block | None:
    if close.ledger_block is None:
        return None
    book = Book.objects.get(environment=close.environment)
    return Block.objects.get(book_id=book.pk, number=close.ledger_block)
