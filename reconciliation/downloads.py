"""A file of a close, sent as it lies on disk in blocks that cost a server little to pass on; who took it away is kept."""

from typing import BinaryIO, Final

from django.http import FileResponse

from ledger.controls import clock
from reconciliation.models import CloseDownload, CloseRun

BLOCK: Final = 1 << 20


def download(file: BinaryIO, *, filename: str) -> FileResponse:
    """Return the response that sends a file and closes it."""
    kind = "application/json" if filename.endswith(".json") else "text/csv; charset=utf-8"
    response = FileResponse(file, as_attachment=True, filename=filename, content_type=kind)
    response.block_size = BLOCK  # the default's 4 KiB are a turn through the server each
    return response


def keep(close: CloseRun, name: str, *, actor: str, api_key_id: int | None = None) -> None:
    """Write down that somebody takes a close's file, or all of them as a ZIP of this name, away."""
    CloseDownload.objects.create(
        close_reference=close.reference, name=name, actor=actor, api_key_id=api_key_id, downloaded_at=clock.now()
    )
