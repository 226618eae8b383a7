"""Event types and what each posts. Small Python functions stand here until the Numscript templates replace them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.drafts import Posting
from ledger.money import Money

Amounts = Mapping[str, Money]
Accounts = Mapping[str, str]


class Phase(StrEnum):
    PLAIN = "plain"
    """Its postings count at once."""
    RESERVE = "reserve"
    """Its postings become one hold."""
    SETTLE = "settle"
    """Ends a hold: posted as its postings say; a pending without one is voided."""
    RELEASE = "release"
    """Ends a hold: voided."""


class UnknownEventType(LookupError):
    """No flow posts except through an event type."""


@dataclass(frozen=True, slots=True)
class EventType:
    name: str
    phase: Phase
    postings: Callable[[Amounts, Accounts], list[Posting]]


def event_type(name: str) -> EventType:
    if name not in _EVENT_TYPES:
        raise UnknownEventType(name)
    return _EVENT_TYPES[name]


def _trade(amounts: Amounts, accounts: Accounts) -> list[Posting]:
    """Every line of a buy: what the pool takes out of transit, what it gives, fee, VAT, and FX where assets differ."""
    lines: list[Posting] = []
    if "converted" in amounts:
        lines.append(Posting(accounts["transit"], accounts["fx_wallet"], amounts["net"]))
        lines.append(Posting(accounts["fx_cash"], accounts["pool"], amounts["converted"]))
    else:
        lines.append(Posting(accounts["transit"], accounts["pool"], amounts["net"]))
    if "fee" in amounts:
        lines.append(Posting(accounts["transit"], accounts["revenue"], amounts["fee"]))
    if "vat" in amounts:
        lines.append(Posting(accounts["transit"], accounts["vat"], amounts["vat"]))
    lines.append(Posting(accounts["pool"], accounts["position"], amounts["position"]))
    return lines


def _whole_hold(amounts: Amounts, accounts: Accounts) -> list[Posting]:
    return []


def _pair(source: str, destination: str) -> Callable[[Amounts, Accounts], list[Posting]]:
    def postings(amounts: Amounts, accounts: Accounts) -> list[Posting]:
        return [Posting(accounts[source], accounts[destination], amounts["amount"])]

    return postings


def _due_against_transit(amounts: Amounts, accounts: Accounts) -> list[Posting]:
    """What was taken from the operator's wallet is owed to us; what was given is owed no longer. One of them is 0."""
    return [
        Posting(accounts["due"], accounts["transit"], amounts["taken"]),
        Posting(accounts["transit"], accounts["due"], amounts["given"]),
    ]


_EVENT_TYPES = {
    kind.name: kind
    for kind in (
        EventType("TRADE_RESERVE", Phase.RESERVE, _trade),
        EventType("TRADE_SETTLE", Phase.SETTLE, _trade),
        EventType("TRADE_RELEASE", Phase.RELEASE, _whole_hold),
        EventType("ORDER_DEBIT_CONFIRMED", Phase.PLAIN, _pair("due", "transit")),
        EventType("ORDER_COMPENSATION", Phase.PLAIN, _pair("transit", "due")),
        EventType("LATE_EFFECT", Phase.PLAIN, _due_against_transit),
        EventType("RETURN_GIVEN_BACK", Phase.PLAIN, _due_against_transit),
        EventType("RETURN_KEPT", Phase.PLAIN, _due_against_transit),
        EventType("POOL_FUNDING", Phase.PLAIN, _pair("world", "pool")),
        EventType("OPENING_BALANCE", Phase.PLAIN, _pair("world", "account")),
    )
}
