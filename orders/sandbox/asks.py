"""What a question says, read from its headers and body."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from orders.sandbox.records import Terms
from wallets.sandbox import clock
from wallets.sandbox.messages import Request

OPERATIONS: Final = ("reserve", "execute", "release")
_KEY: Final = re.compile(r"[A-Za-z0-9._:-]{1,255}", re.ASCII)
_AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,38})(\.[0-9]{1,38})?", re.ASCII)
_LONGEST_TEXT: Final = 200
_MOST_DECIMALS: Final = 30


class Malformed(Exception):
    """The question does not have the protocol's shape."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One ask. `user_reference` is "" where the asker does not tell it."""

    key: str
    operation: str
    transact_id: str
    quote_id: str
    venue_quote_id: str
    pool: str
    user_reference: str
    terms: Terms
    not_after: datetime


@dataclass(frozen=True, slots=True)
class PriceAsked:
    pool: str
    side: str
    taken_asset: str
    taken_amount: str
    given_asset: str
    decimals: int


def key_of(request: Request) -> str:
    """Return the idempotency key. Raises Malformed."""
    key = request.headers.get("idempotency-key", "")
    if not _KEY.fullmatch(key):
        raise Malformed("The header Idempotency-Key is 1 to 255 of A-Z a-z 0-9 . _ : -")
    return key


def digest(request: Request) -> str:
    """Return what tells one ask from another under the same key: the path and the raw body."""
    return hashlib.sha256(request.path.encode() + b"\n" + request.body).hexdigest()


def read(request: Request, *, operation: str, key: str) -> Ask:
    """Read an ask. Raises Malformed."""
    not_after = clock.read(request.headers.get("not-after", ""))
    if not_after is None:
        raise Malformed("The header Not-After is an RFC 3339 time with its offset.")
    content = _content(request.body)
    if content.get("operation") != operation:
        raise Malformed("The body's operation is not the path's.")
    user_reference = content.get("user_reference", "")
    return Ask(
        key=key,
        operation=operation,
        transact_id=_text(content, "transact_id"),
        quote_id=_text(content, "quote_id"),
        venue_quote_id=_text(content, "venue_quote_id"),
        pool=_text(content, "pool"),
        user_reference=user_reference if isinstance(user_reference, str) else "",
        terms=Terms(
            taken_asset=_text(content, "taken_asset"),
            taken_amount=_amount(content, "taken_amount"),
            given_asset=_text(content, "given_asset"),
            given_amount=_amount(content, "given_amount"),
        ),
        not_after=not_after,
    )


def read_price(request: Request) -> PriceAsked:
    """Read a question for a price. Raises Malformed."""
    content = _content(request.body)
    decimals = content.get("given_decimals")
    if not isinstance(decimals, int) or isinstance(decimals, bool) or not 0 <= decimals <= _MOST_DECIMALS:
        raise Malformed(f"given_decimals is a whole number from 0 to {_MOST_DECIMALS}.")
    return PriceAsked(
        pool=_text(content, "pool"),
        side=_text(content, "side"),
        taken_asset=_text(content, "taken_asset"),
        taken_amount=_amount(content, "taken_amount"),
        given_asset=_text(content, "given_asset"),
        decimals=decimals,
    )


def _content(body: bytes) -> Mapping[str, object]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise Malformed("The body is not a JSON object.")
    return content


def _amount(content: Mapping[str, object], name: str) -> str:
    amount = _text(content, name)
    if not _AMOUNT.fullmatch(amount) or not amount.strip("0."):
        raise Malformed(f"{name} is a decimal string above zero.")
    return amount


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise Malformed(f"{name} is a text of 1 to {_LONGEST_TEXT} characters.")
    return value
