"""The randomness port: keys, references, jitter. A test or the simulation installs a seeded source."""

import random
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Source(Protocol):
    def octets(self, count: int) -> bytes: ...

    def pieces(self, number: int, size: int) -> list[bytes]:
        """Return so many pieces of so many octets each, as that many calls of `octets` would."""
        ...

    def fraction(self) -> float:
        """Return a number in [0, 1): for jitter only, never near money."""
        ...


class SystemSource:
    def octets(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def pieces(self, number: int, size: int) -> list[bytes]:
        drawn = secrets.token_bytes(number * size)  # one read from the kernel
        return [drawn[at : at + size] for at in range(0, number * size, size)]

    def fraction(self) -> float:
        return random.random()


class SeededSource:
    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def octets(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def pieces(self, number: int, size: int) -> list[bytes]:
        return [self._random.randbytes(size) for _ in range(number)]

    def fraction(self) -> float:
        return self._random.random()


_system: Source = SystemSource()
_source: ContextVar[Source] = ContextVar("randomness", default=_system)


def octets(count: int) -> bytes:
    return _source.get().octets(count)


def pieces(number: int, size: int) -> list[bytes]:
    return _source.get().pieces(number, size)


def fraction() -> float:
    return _source.get().fraction()


@contextmanager
def use(source: Source) -> Iterator[Source]:
    token = _source.set(source)
    try:
        yield source
    finally:
        _source.reset(token)
