"""Public references: a typed prefix and a part that sorts by the time of its making."""

import time
from enum import StrEnum

from ledger.controls import clock, randomness

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's, lower case: no i, l, o, u


_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS = tuple(range(120, -1, -10))


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
    installed = clock.parameter()
    milliseconds = time.time_ns() // 1_000_000 if installed is None else int(installed.timestamp() * 1000)
    number = (milliseconds << 80) | int.from_bytes(randomness.octets(10))
    return f"{prefix}_{_base32(number)}"


def _base32(number: int) -> str:
    return "".join([_PAIRS[(number >> shift) & 1023] for shift in _SHIFTS])
