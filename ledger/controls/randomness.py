"""The randomness port: keys, references, jitter. A test or the simulation installs a seeded source."""

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Source(Protocol):
    def octets(self, count: int) -> bytes: ...

    def fraction(self) -> float:
        """Return a number in [0, 1): for jitter only, never near money."""
        ...


class SystemSource:
    def octets(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def fraction(self) -> float:
        return random.random()


class SeededSource:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def octets(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def fraction(self) -> float:
        return self._random.random()


_system: Source = SystemSource()
_source: ContextVar[Source] = ContextVar("randomness", default=_system)


def octets(count: int) -> bytes:
    return _source.get().octets(count)


def fraction() -> float:
    return _source.get().fraction()


@contextmanager
def use(source: Source) -> Iterator[Source]:
    token = _source.set(source)
    try:
        yield source
    finally:
        _source.reset(token)
