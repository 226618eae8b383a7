"""What the venue keeps: trades, operations under their keys, and the events that it sends."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Terms:
    """What is given for what, as texts in major units."""

    taken_asset: str
    taken_amount: str
    given_asset: str
    given_amount: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One row per idempotency key."""

    key: str
    operation: str
    transact_id: str
    terms: Terms
    digest: str
    status: str
    code: str
    venue_ref: str
    asked_at: int
    pending_until: int | None = None
    then_status: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event on its way to an inbox."""

    id: int
    event_id: str
    pool: str
    transact_id: str
    quote_id: str
    status: str
    tries: int
