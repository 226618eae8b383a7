"""A close's files as one ZIP, streamed as it is read: stored, not packed, with one date for all, so that it is the same bytes
whenever and wherever it is made."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from django.conf import settings

from ledger.controls.refusals import Refusal
from reconciliation.downloads import BLOCK
from reconciliation.models import CloseArtifact, CloseRun

CONTENT_TYPE: Final = "application/zip"
_WHEN: Final = (1980, 1, 1, 0, 0, 0)


class FilesMissing(Refusal):
    """This close has no files in their place: run it, or make its files again."""

    code = "close_files_missing"
    status = 409


def name_of(close: CloseRun) -> str:
    return f"close-{close.environment}-{close.business_date.isoformat()}.zip"


def files_of(close: CloseRun) -> dict[str, Path]:
    """Return the close's files by name, where each lies. Raises FilesMissing."""
    rows = CloseArtifact.objects.filter(close_reference=close.reference).order_by("name")
    found = {row.name: Path(settings.ARTIFACTS_ROOT) / row.path for row in rows}
    sizes = {row.name: row.size for row in rows}
    if not found or any(not path.is_file() or path.stat().st_size != sizes[name] for name, path in found.items()):
        raise FilesMissing
    return found


def stream(close: CloseRun) -> Iterator[bytes]:
    """Return the ZIP's blocks. Raises FilesMissing at once, not in the middle."""
    return _blocks(files_of(close))


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


def _blocks(files: dict[str, Path]) -> Iterator[bytes]:
    passing = _Passing()
    with zipfile.ZipFile(passing, "w", zipfile.ZIP_STORED) as package:  # type: ignore[call-overload]  # it only writes
        for name, path in files.items():
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.external_attr = 0o600 << 16
            with path.open("rb") as source, package.open(entry, "w", force_zip64=True) as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield passing.take()
    yield passing.take()
