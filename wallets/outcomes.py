"""What became of a question to somebody else's system: one of three values, never an exception."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final


class Cause(StrEnum):
    """Why an outcome is unknown."""

    TIMEOUT = "timeout"
    """No answer in time: sent, or perhaps sent."""
    CONNECTION = "connection"
    """The connection broke after sending may have begun."""
    SERVER_ERROR = "server_error"
    """Any 5xx."""
    UNREADABLE = "unreadable"
    """A 2xx that cannot be read."""
    CONTRADICTORY = "contradictory"
    """A 2xx about another amount, asset or key."""
    PENDING = "pending"
    """Accepted, still working: requeried on the slower schedule."""
    NOT_FOUND = "not_found"
    """A lookup found nothing before the not-found horizon: proves nothing."""
    ABSENT = "absent"
    """A lookup found nothing after the not-found horizon: proven absent."""
    IN_FLIGHT = "in_flight"
    """Another worker holds the lease and may be asking now."""
    NOT_ASKED = "not_asked"
    """Nothing was ever sent (the gateway is paused, or its address refused)."""


CAUSES_OF_DOUBT: Final = (Cause.PENDING, Cause.CONTRADICTORY)
"""What the other side says only of a key that it knows: after a proven absence, that nothing is proven any more."""


@dataclass(frozen=True, slots=True)
class CameBack:
    """What came back of a payment that had happened: so much in all, in minor units, under the bank's id if it names one."""

    amount_minor: int
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """It happened. `remote_ref` is the other side's reference; a payment has the date on which it settles too.

    It stays so when the payment came back since: that is another movement.
    """

    remote_ref: str
    settlement_date: date | None = None
    came_back: CameBack | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """It surely did not happen and will not. `reason` is the other side's stable word."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody here knows. Leaves only by a lookup's evidence or an approved human decision (R3)."""

    cause: Cause


Outcome = Confirmed | Rejected | Unknown
