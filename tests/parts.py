"""Share the tests out to processes that run beside each other: whole files, so that what a file sets up serves it once.

`TEST_PART=1/2` runs the first of two parts. Every file is in exactly one; which, depends on nothing but the files.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

VARIABLE: Final = "TEST_PART"


def of_variable(text: str) -> tuple[int, int]:
    """Return which part of how many. Raises ValueError."""
    part, _, parts = text.partition("/")
    if not 1 <= int(part) <= int(parts):
        raise ValueError(f"{VARIABLE} is like 1/2, not {text!r}")
    return int(part), int(parts)


def files_of(part: int, parts: int, tests: Sequence[str]) -> frozenset[str]:
    """Return the files of a part, given the file of every test: the largest first, each to the part that has least."""
    shares = shared_out(Counter(tests), parts)
    return frozenset(file for file, share in shares.items() if share == part)


def shared_out(sizes: Mapping[str, int], parts: int) -> dict[str, int]:
    """Return the part (from 1) of each file."""
    loads = [0] * parts
    shares: dict[str, int] = {}
    for file in sorted(sizes, key=lambda name: (-sizes[name], name)):
        least = loads.index(min(loads))
        loads[least] += sizes[file]
        shares[file] = least + 1
    return shares
