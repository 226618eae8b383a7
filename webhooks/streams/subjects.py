"""What can be watched: the floors above register it, in `AppConfig.ready()`, as `/v1/{name}/{reference}/events`."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from ledger.controls.events import Payload


@dataclass(frozen=True, slots=True)
class Current:
    """The present state of what is watched, as its newest event says it. `sequence` is its row's version."""

    topic: str
    payload: Payload
    sequence: int
    at: datetime


class Find(Protocol):
    def __call__(self, *, operator_id: int, environment: str, reference: str) -> Current | None:
        """Return the present state, or None where the operator has no such thing."""
        ...


@dataclass(frozen=True, slots=True)
class Subject:
    """`name` is its place below /v1. A stream ends with the first event of a topic in `terminal`."""

    name: str
    find: Find
    terminal: frozenset[str]


_subjects: dict[str, Subject] = {}


def register(subject: Subject) -> None:
    _subjects[subject.name] = subject


def named(name: str) -> Subject | None:
    return _subjects.get(name)


def every() -> Iterator[Subject]:
    yield from _subjects.values()
