"""What comes in over the wire and what goes out, without sockets."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum


class Ending(Enum):
    """What becomes of the connection."""

    SEND = "send"
    """The answer is sent, after `delay`."""
    SILENCE = "silence"
    """Nothing is sent; the connection is held for `delay` and then closed."""
    RESET = "reset"
    """Nothing is sent; the connection is reset."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are in lower case; `path` has no query."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `delay` is in seconds."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Sequence[tuple[str, str]] = ()
    delay: float = 0
    ending: Ending = Ending.SEND


def answered(status: int, content: Mapping[str, object], *headers: tuple[str, str]) -> Answer:
    return Answer(status, json.dumps(content).encode(), headers=headers)


def refused(status: int, code: str, message: str) -> Answer:
    """An answer that says why in a stable word and a sentence."""
    return answered(status, {"code": code, "message": message})
