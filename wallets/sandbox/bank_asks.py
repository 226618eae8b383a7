"""What a payment order says, read from its headers and body. PromptPay speaks camelCase, bank transfers snake_case."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from wallets.sandbox import clock
from wallets.sandbox.asks import AMOUNT, Malformed
from wallets.sandbox.bank_faults import PROMPTPAY, TRANSFER
from wallets.sandbox.messages import Request

_LONGEST_TEXT: Final = 200
_PLACES: Final = {PROMPTPAY: ("proxyType", "proxyValue"), TRANSFER: ("bank_code", "account_number", "name")}


@dataclass(frozen=True, slots=True)
class PaymentAsk:
    """One payment order. `amount` is text in major units; `recipient` is what a magic word is looked for in."""

    reference: str
    recipient: str
    recipient_text: str
    currency: str
    amount: str
    lookup_ref: str
    not_after: datetime


@dataclass(frozen=True, slots=True)
class QueryAsk:
    """One recipient query."""

    proxy_type: str
    proxy_value: str
    currency: str
    amount: str


def read(request: Request, *, channel: str) -> PaymentAsk:
    """Read a payment order. Raises Malformed."""
    not_after = clock.read(request.headers.get("not-after", ""))
    if not_after is None:
        raise Malformed("The header Not-After is an RFC 3339 time with its offset.")
    content = _content(request)
    places = {name: _text(content, name) for name in _PLACES[channel]}
    return PaymentAsk(
        reference=_text(content, "reference"),
        recipient=places["proxyValue" if channel == PROMPTPAY else "name"],
        recipient_text=json.dumps(places, sort_keys=True, ensure_ascii=False),
        currency=_text(content, "currency"),
        amount=_amount(content),
        lookup_ref=_text(content, "lookupRef") if channel == PROMPTPAY else "",
        not_after=not_after,
    )


def read_query(request: Request) -> QueryAsk:
    """Read a recipient query. Raises Malformed."""
    content = _content(request)
    return QueryAsk(
        _text(content, "proxyType"), _text(content, "proxyValue"), _text(content, "currency"), _amount(content)
    )


def _content(request: Request) -> dict[str, object]:
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Malformed("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise Malformed("The body is not a JSON object.")
    return content


def _amount(content: dict[str, object]) -> str:
    amount = _text(content, "amount")
    if not AMOUNT.fullmatch(amount) or not amount.strip("0."):
        raise Malformed("amount is a decimal string above zero.")
    return amount


def _text(content: dict[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TEXT:
        raise Malformed(f"{name} is a text of 1 to {_LONGEST_TEXT} characters.")
    return value
