"""What the worlds of CI have to meet between them, and what is excused, each with its reason."""

from collections.abc import Iterator
from typing import Final

from ledger.controls import machines
from tests.simulation import bank_service, receiver, shifts, venue_service, wallet_service
from tests.simulation.played import Reach

# Machines of flows that no actor of these worlds plays.
ELSEWHERE: Final = {
    "chart_version": "finance's, tested with the chart",
    "gl_mapping": "finance's, tested with the chart",
    "posting_template": "finance's, tested with the chart",
    "close": "finance's, tested with the close",
    "exception_case": "finance's, tested with the close",
    "statement_file": "finance's, tested with statements",
    "statement_match": "finance's, tested with statements",
    "fee_rule": "finance's, tested with the rules",
    "limit_rule": "finance's, tested with the rules",
}

# Edges that no world can walk.
EXCUSED: Final = {
    ("inbound_event", "received", "dead"): "an event is parked before it is given up: it has fourteen tries",
    ("intent", "validated", "failed"): "a payout whose confirmation is refused stays validated, till it expires",
    ("payout", "settling", "manual_review"): "its hold ended otherwise, which only people at the book can do",
    ("payout", "releasing", "manual_review"): "its hold ended otherwise, which only people at the book can do",
    ("review_case", "open", "resolved"): "who proposes takes the case first, and nothing else ends a review",
}

_CRASHES: Final = tuple(
    f"{side} {what}"
    for what in ("commit", "statement", "ask", "lookup", "query", "webhook")
    for side in ("before", "after")
)
_CRASHES_IN_A_BATCH: Final = tuple(
    f"{side} {what}"
    for what in (
        *(f"commit: {step}" for step in shifts.COMMITTED),
        f"ask: {shifts.ASKED}",
        f"statement: {shifts.DROPPED}",
    )
    for side in ("before", "after")
)
_SLEEPS: Final = (
    *(f"{side} {what}" for what in ("ask", "lookup", "query", "webhook") for side in ("before", "after")),
    "after commit",
    "after statement",
    "before the first lock",
    "between statements",
)
THINGS: Final = {
    "crash": _CRASHES,
    "crash in a batch": _CRASHES_IN_A_BATCH,
    "together": (
        *shifts.COMMITTED,
        shifts.ASKED,
        shifts.DROPPED,
        "one rejected, one confirmed",
        "one unknown, one confirmed",
        "undone",
    ),
    "sleep": _SLEEPS,
    "ask": (*wallet_service.FAULTS["ask"], "refused as too late"),
    "lookup": wallet_service.FAULTS["lookup"],
    "webhook": receiver.FAULTS,
    "bank ask": (*wallet_service.FAULTS["ask"], "refused as too late"),
    "bank lookup": wallet_service.FAULTS["lookup"],
    "bank query": bank_service.QUERY_FAULTS,
    "venue ask": venue_service.FAULTS["ask"],
    "venue lookup": venue_service.FAULTS["lookup"],
    "venue quote": venue_service.FAULTS["quote"],
    "venue news": ("duplicate", "a trade taken back"),
    "news": (
        "duplicate",
        "reordered",
        "false",
        "under a new event id",
        "a payment came back",
        "pay-in collected",
        "pay-in refunded",
        "pay-in charged_back",
    ),
    "payer": (
        "transfer",
        "transfer refused",
        "list",
        "list, all or none",
        "list, all or none refused",
        "scheduled transfer",
        "transfer taken back",
        "scheduled transfer: settled",
        "scheduled transfer: hold_expired",
        "payout by promptpay",
        "payout by promptpay refused",
        "payout by bank_transfer",
        "payout by bank_transfer refused",
        "payout confirmed",
        "payout taken back",
    ),
    "time": ("a minute", "hours"),
    "client": ("the same again", "again, unanswered", "another request with the same key"),
    "staff": (
        "freeze",
        "freeze an intent",
        "lift freeze",
        "halt",
        "lift halt",
        "pause",
        "lift pause",
        "trade taken back",
        "market decided",
        "replay",
        "reprice",
    ),
    "close": ("missing_webhook", "ledger_row_without_terminal_trade", "signed"),
    "review": ("approved", "refused", "self-approval refused"),
}


def missing(reach: Reach) -> list[str]:
    """Return what was not met: states, edges, faults, crash points, acts."""
    return [*_edges(reach), *_things(reach)]


def counts(reach: Reach) -> list[tuple[int, str]]:
    """Return how often each thing that has to be met was, the rarest first."""
    edges = [
        (reach.edges[machine.name, source, target], f"{machine.name}: {source or 'born'} → {target}")
        for machine in machines.every()
        if machine.name not in ELSEWHERE
        for source, target in machine.edges()
        if (machine.name, source, target) not in EXCUSED
    ]
    things = [(reach.things[kind, thing], f"{kind}: {thing}") for kind, each in THINGS.items() for thing in each]
    return sorted([*edges, *things])


def _edges(reach: Reach) -> Iterator[str]:
    for machine in machines.every():
        if machine.name in ELSEWHERE:
            continue
        for source, target in machine.edges():
            met = (machine.name, source, target) in reach.edges
            excused = (machine.name, source, target) in EXCUSED
            if not met and not excused:
                yield f"{machine.name}: {source or 'born'} → {target}"
            if met and excused:
                yield f"{machine.name}: {source} → {target} was met, and is excused"


def _things(reach: Reach) -> Iterator[str]:
    for kind, things in THINGS.items():
        for thing in things:
            if (kind, thing) not in reach.things:
                yield f"{kind}: {thing}"
