"""What an ask says, read from its headers and body."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wallets.sandbox import clock
from wallets.sandbox.messages import Request

OPERATIONS: Final = ("debit", "credit", "reverse")
_KEY: Final = re.compile(r"[A-Za-z0-9._:-]{1,255}", re.ASCII)
AMOUNT: Final = re.compile(r"(0|[1-9][0-9]{0,38})(\.[0-9]{1,38})?", re.ASCII)
_LONGEST_TEXT: Final = 200


class Malformed(Exception):
    """The ask does not have the protocol's shape."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One ask. `amount` is text in major units."""

    key: str
    operation: str
    reference: str
    user_reference: str
    asset: str
    amount: str
    not_after: datetime


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
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Malformed("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise Malformed("The body is not a JSON object.")
    if content.get("operation") != operation:
        raise Malformed("The body's operation is not the path's.")
    amount = _text(content, "amount")
    if not AMOUNT.fullmatch(amount) or not amount.strip("0."):
        raise Malformed("amount is a decimal string above zero.")
    return Ask(
        key=key,
        operation=operation,
        reference=_text(content, "reference"),
        user_reference=_text(content, "user_reference"),
        asset=_text(content, "asset"),
        amount=amount,
        not_after=not_after,
    )


def _text(content: dict[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise Malformed(f"{name} is a text of 1 to {_LONGEST_TEXT} characters.")
    return value
