"""What an artifact is: a file that finance keeps, made of one query."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artifact:
    """A CSV file of a close.

    `query` takes %(environment)s, %(book)s, %(from)s, %(to)s, %(as_of)s and %(close)s (its reference), names its columns as
    the file's header does (DESIGN.md's first, ours right of them) and orders its rows for good: the same records give
    the same bytes. Cells go through close_text, close_time and close_amount; states are those at %(as_of)s, read from moves.

    Control totals: `counted` are columns by whose values rows are counted, `summed` pairs of an asset's column and an
    amount's. `of_cases`: made after the run has brought the exception cases in line, since it tells of them.
    """

    place: int
    name: str
    query: str
    counted: tuple[str, ...] = ()
    summed: tuple[tuple[str, str], ...] = ()
    of_cases: bool = False
