"""A close's files as one ZIP, streamed as it is read: stored, not packed, with one date for all, so that it is the same bytes
whenever and wherever it is made.

All are opened and compared with what was recorded before the first byte goes out: a run that ends meanwhile gives others their
names, and nobody is handed a file that was changed in its place.
"""

import hashlib
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Final

from django.conf import settings

from ledger.controls.refusals import Refusal
from reconciliation.downloads import BLOCK
from reconciliation.models import CloseArtifact, CloseRun

CONTENT_TYPE: Final = "application/zip"
_WHEN: Final = (1980, 1, 1, 0, 0, 0)


class FilesMissing(Refusal):
    """This close has no files in their place, or not those that were recorded: run it, or make its files again."""

    code = "close_files_missing"
    status = 409


def name_of(close: CloseRun) -> str:
    return f"close-{close.environment}-{close.business_date.isoformat()}.zip"


def opened(close: CloseRun, name: str = "") -> dict[str, BinaryIO]:
    """Open the close's files, or the one of this name if there is such a one, and return them by name. The caller closes them.

    Raises FilesMissing where one has other bytes than those recorded.
    """
    rows = CloseArtifact.objects.filter(close_reference=close.reference).order_by("name")
    recorded = [(row.name, Path(settings.ARTIFACTS_ROOT) / row.path, row.sha256) for row in rows]
    if not recorded:
        raise FilesMissing
    with ExitStack() as stack:
        found = {
            one: stack.enter_context(_as_recorded(path, sha256)) for one, path, sha256 in recorded if name in ("", one)
        }
        stack.pop_all()
    return found


def stream(close: CloseRun) -> Iterator[bytes]:
    """Return the ZIP's blocks. Raises FilesMissing at once, not in the middle."""
    return _blocks(opened(close))


def _as_recorded(path: Path, sha256: str) -> BinaryIO:
    try:
        file = path.open("rb")
    except OSError as error:
        raise FilesMissing from error
    if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
        file.close()
        raise FilesMissing
    file.seek(0)
    return file


class _Passing:
    """Takes what the ZIP writes, until it is taken from here."""

    def __init__(self) -> None:
        self._held: list[bytes] = []

    def write(self, block: bytes) -> int:
        self._held.append(bytes(block))
        return len(block)

    def flush(self) -> None:
        return

    def take(self) -> bytes:
        held, self._held = b"".join(self._held), []
        return held


def _blocks(files: Mapping[str, BinaryIO]) -> Iterator[bytes]:
    passing = _Passing()
    with zipfile.ZipFile(passing, "w", zipfile.ZIP_STORED) as package:  # type: ignore[call-overload]  # it only writes
        for name, source in files.items():
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.external_attr = 0o600 << 16
            with source, package.open(entry, "w", force_zip64=True) as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield passing.take()
    yield passing.take()
