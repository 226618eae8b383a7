"""From what the interpreter sends to what the book takes. Knows no database."""

from collections.abc import Iterable
from typing import Final

from ledger.numscript import Sent

BookPosting = tuple[str, str, str, int]
"""Debited address, credited address, asset, minor units. A plain tuple, because thousands are made a second."""

WORLD: Final = "world"
"""What a script's `@world` is called by the interpreter; in the book it is `@world`."""

ZERO: Final = 2**128
"""Stands for an amount of 0 that has to become a posting, for a draft with flags: a script posts no zeros. Beyond every
amount of the book."""


def address_of(name: str) -> str:
    """Return how the book calls an account that a script names: its `@world` is the book's."""
    return "@world" if name == WORLD else name


def in_book(sends: Iterable[Sent]) -> list[BookPosting]:
    """Return the postings that these sends stand for."""
    return [
        (address_of(source), address_of(destination), asset, amount if amount != ZERO else 0)
        for source, destination, asset, amount, _ in sends
    ]
