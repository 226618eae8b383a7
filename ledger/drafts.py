"""What a flow hands to the write door: an event type with named amounts and accounts. No postings of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from ledger.money import Money


class Flag(StrEnum):
    """TigerBeetle's flags of a transfer, in its words. A draft's flags are those of all its postings."""

    BALANCING_DEBIT = "balancing_debit"
    """Its amounts are the most: takes what the debited account can give, perhaps 0."""
    BALANCING_CREDIT = "balancing_credit"
    """Its amounts are the most: gives what the credited account can take, perhaps 0."""
    CLOSING_DEBIT = "closing_debit"
    """Of a reserve, perhaps of 0: the debited account takes nothing more until this hold is voided or expires."""
    CLOSING_CREDIT = "closing_credit"
    """The same for the credited account."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction to be posted.

    `key` is the ledger key: the same key with the same content is `exists`. `subject` is the reference of the
    order, intent or return whose money moves; `refs` names the other records that it joins to. `amounts` and
    `accounts` are the event type's parameters (accounts are addresses). `hold_key` is the key of the reserve that a
    settle or release ends. `timeout` is in seconds, 0 = never. `refuse_locked` is for direct manual postings: one whose
    `effective_at` falls into a locked period is refused instead of moved to the first open instant. `request_id` is
    of the request that it belongs to, where a list has those of several; "" means the present one.
    """

    event_type: str
    key: str
    subject: str
    amounts: Mapping[str, Money] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    refs: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    effective_at: datetime | None = None
    timeout: int = 0
    hold_key: str | None = None
    linked: bool = False
    refuse_locked: bool = False
    flags: frozenset[Flag] = frozenset()
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Posting:
    """One amount from the debited to the credited address."""

    debit: str
    credit: str
    amount: Money
