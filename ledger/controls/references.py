"""Public references: a typed prefix and a part that sorts by the time of its making."""

import time
from enum import StrEnum

from ledger.controls import clock, randomness

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, lower case: no i, l, o, u


_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_RANDOM_OCTETS = 10
_RANDOM_BITS = 8 * _RANDOM_OCTETS
_SHIFTS_OF_TIME = tuple(range(40, -1, -10))
_SHIFTS_OF_RANDOM = tuple(range(_RANDOM_BITS - 10, -1, -10))


class Prefix(StrEnum):
    OPERATOR = "op"
    QUOTE = "quo"
    ORDER = "ord"
    TRADE = "trd"
    INTENT = "int"
    PAYOUT = "pay"
    RETURN = "ret"
    POSTING = "led"
    EVENT = "evt"
    DELIVERY = "dlv"
    ENDPOINT = "ep"
    REVIEW = "rev"
    EXCEPTION = "exc"
    CLOSE = "cls"
    REQUEST = "req"
    REMOTE_OPERATION = "rop"
    APPROVAL = "apr"
    MARKET = "mkt"
    CHART = "cht"
    MAPPING = "map"
    TEMPLATE = "tpl"
    INBOUND_EVENT = "inb"
    WALLET = "wal"
    PAY_IN = "pin"
    FEE_RULE = "fee"
    LIMIT_RULE = "lim"
    STATEMENT_FILE = "stf"
    STATEMENT_LINE = "stl"
    STATEMENT_MATCH = "stm"


def new(prefix: Prefix) -> str:
    """Make a reference: 48 bits of milliseconds, 80 bits of randomness, 26 characters after the prefix."""
    return _begun(prefix) + _random(randomness.octets(_RANDOM_OCTETS))


def several(prefix: Prefix, count: int) -> list[str]:
    """Make as many references of one instant: for lists, which need thousands."""
    begun = _begun(prefix)
    return [begun + _random(octets) for octets in randomness.pieces(count, _RANDOM_OCTETS)]


def _begun(prefix: Prefix) -> str:
    """Return the prefix and the ten characters of the present millisecond: 48 bits after two of zero."""
    installed = clock.parameter()
    milliseconds = time.time_ns() // 1_000_000 if installed is None else int(installed.timestamp() * 1000)
    return f"{prefix}_" + "".join([_PAIRS[(milliseconds >> shift) & 1023] for shift in _SHIFTS_OF_TIME])


def _random(octets: bytes) -> str:
    number = int.from_bytes(octets)
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS_OF_RANDOM])
