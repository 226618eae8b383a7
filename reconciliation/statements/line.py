"""What one line of a statement says, however it was written, or what is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

IDS = ("our_key", "our_reference", "provider_reference", "partner_order_id")
"""The ids that a line may carry, in the order in which they are believed."""


@dataclass(frozen=True, slots=True)
class Line:
    """`amount_minor` of `asset` is signed: positive debits our account (we received it, or are owed it)."""

    number: int
    line_id: str
    booked_on: date
    asset: str
    amount_minor: int
    value_on: date | None = None
    our_key: str = ""
    our_reference: str = ""
    provider_reference: str = ""
    partner_order_id: str = ""
    quote_reference: str = ""
    description: str = ""
    raw: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WrongLine:
    """A line that cannot be read, and why. One of them, and nothing of its file is imported."""

    number: int
    errors: tuple[str, ...]
    raw: Mapping[str, str] = field(default_factory=dict)


class Unreadable(ValueError):
    """A cell does not hold what its column is for."""
