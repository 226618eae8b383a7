"""A fault of the product that worlds must find, planted in memory for the body of a `with` block."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """`rules` are those that say so, any of them. `turns`: in longer worlds, since what it needs is rare."""

    name: str
    plant: Callable[[], AbstractContextManager[None]]
    rules: frozenset[str]
    by: int
    turns: int | None = None
