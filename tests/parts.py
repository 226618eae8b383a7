"""Share the tests out to processes that run beside each other: whole files, so that what a file sets up serves it once.

`TEST_PART=1/2` runs the first of two parts. Every file is in exactly one; which, depends on nothing but the files. A file
weighs what its tests take: most of them so little that their number tells; the long ones are named here with their seconds.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

VARIABLE: Final = "TEST_PART"

_USUAL_SECONDS: Final = 0.1
"""What a test takes that is in no file named below, its setup and flush included."""

LONG: Final[Mapping[str, float]] = {
    "tests/console/test_access.py": 25,
    "tests/console/test_page_walk.py": 25,
    "tests/console/test_planted_secrets.py": 30,
    "tests/console/test_widths_browser.py": 60,
    "tests/ledger/test_against_the_model.py": 15,
    "tests/local/test_bank_transfers_survive.py": 90,
    "tests/local/test_events_survive.py": 35,
    "tests/local/test_lifecycle.py": 75,
    "tests/local/test_orders_survive.py": 50,
    "tests/local/test_payouts_survive.py": 140,
    "tests/local/test_transfers_survive.py": 90,
    "tests/orders/test_crash_pairs.py": 50,
    "tests/orders/test_crashes.py": 40,
    "tests/orders/test_inbound_crashes.py": 9,
    "tests/orders/test_market_crashes.py": 16,
    "tests/orders/test_outside_venue.py": 18,
    "tests/orders/test_payout_crashes.py": 75,
    "tests/orders/test_return_crashes.py": 24,
    "tests/orders/test_returns.py": 28,
    "tests/orders/test_review_crashes.py": 15,
    "tests/orders/test_review_previews.py": 12,
    "tests/orders/test_sell_crashes.py": 60,
    "tests/orders/test_venue_crashes.py": 75,
    "tests/orders/test_venue_http.py": 30,
    "tests/orders/test_venue_news.py": 12,
    "tests/reconciliation/test_short_day.py": 17,
    "tests/rest/test_document.py": 10,
    "tests/rest/test_ledger.py": 30,
    "tests/rest/test_schemathesis.py": 50,
    "tests/rest/test_transfer_crashes.py": 12,
    "tests/simulation/test_power.py": 230,
    "tests/wallets/test_rules_that_stood.py": 10,
    "tests/webhooks/test_order_over_changes.py": 15,
    "tests/webhooks/test_relays_killed.py": 10,
    "tests/webhooks/test_streams.py": 10,
}
"""Seconds of whole files on two quiet cores. They need not be exact: both parts should end at about the same time."""


def of_variable(text: str) -> tuple[int, int]:
    """Return which part of how many. Raises ValueError."""
    part, _, parts = text.partition("/")
    if not 1 <= int(part) <= int(parts):
        raise ValueError(f"{VARIABLE} is like 1/2, not {text!r}")
    return int(part), int(parts)


def files_of(part: int, parts: int, tests: Sequence[str]) -> frozenset[str]:
    """Return the files of a part, given the file of every test: the longest first, each to the part that has least."""
    seconds = {file: LONG.get(file, number * _USUAL_SECONDS) for file, number in Counter(tests).items()}
    shares = shared_out(seconds, parts)
    return frozenset(file for file, share in shares.items() if share == part)


def shared_out(sizes: Mapping[str, float], parts: int) -> dict[str, int]:
    """Return the part (from 1) of each file."""
    loads = [0.0] * parts
    shares: dict[str, int] = {}
    for file in sorted(sizes, key=lambda name: (-sizes[name], name)):
        least = loads.index(min(loads))
        loads[least] += sizes[file]
        shares[file] = least + 1
    return shares
