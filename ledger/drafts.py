"""What a flow hands to the write door: an event type with named amounts and accounts. No postings of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from ledger.money import Money


@dataclass(frozen=True, slots=True)
class Draft:
    """A transaction to be posted.

    `key` is the ledger key: the same key with the same content is `exists`. `subject` is the reference of the
    order, intent or return whose money moves; `refs` names the other records that it joins to. `amounts` and
    `accounts` are the event type's parameters (accounts are addresses). `hold_key` is the key of the reserve that a
    settle or release ends. `timeout` is in seconds, 0 = never.
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


@dataclass(frozen=True, slots=True)
class Posting:
    """One amount from the debited to the credited address."""

    debit: str
    credit: str
    amount: Money
