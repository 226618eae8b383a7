"""What a request turned out to be about, noted while it is served, for the request log that is written after it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from ledger.controls.rest.caller import Caller


class KeyUse(StrEnum):
    """What became of the request's `Idempotency-Key`."""

    NONE = "none"
    """The request carried none, or its route takes none."""
    FIRST = "first"
    REPLAY = "replay"
    CONFLICT = "conflict"


@dataclass(slots=True)
class Note:
    """`subject` is the reference that the request was about."""

    caller: Caller | None = None
    idempotency_key: str = ""
    key_use: KeyUse = KeyUse.NONE
    subject: str = ""


_note: ContextVar[Note | None] = ContextVar("request_note", default=None)


def current() -> Note:
    """Return the present request's note; outside a request, one that nobody reads."""
    return _note.get() or Note()


@contextmanager
def noted() -> Iterator[Note]:
    """Keep a note for the body of a `with` block."""
    note = Note()
    token = _note.set(note)
    try:
        yield note
    finally:
        _note.reset(token)
