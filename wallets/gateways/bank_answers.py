"""What a bank answered about a payment, read as an outcome. Pure: docs/bank-protocol.yaml in code.

Nothing is confirmed or rejected but by an answer that says so in the protocol's words, about this key, asset and amount.
Whatever else comes back proves nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from ledger.money import Asset, InvalidAmount, parse
from wallets.answer_bodies import Unreadable, content_of, excerpt
from wallets.gateway_port import (
    NotPayable,
    Payable,
    RecipientAnswer,
    RecipientQuery,
    RemoteRequest,
    Reply,
    Unanswered,
)
from wallets.outcomes import CameBack, Cause, Confirmed, Outcome, Rejected, Unknown

# The protocol's words for "it did not happen and will not".
REFUSALS: Final = frozenset(
    {
        "account_blocked",
        "account_closed",
        "declined",
        "insufficient_funds",
        "limit_exceeded",
        "recipient_not_found",
        "too_late",
    }
)
_SETTLED: Final = ("settled", "returned")
_REFERENCE: Final = re.compile(r"[!-~]{1,120}", re.ASCII)
_LONGEST_NAME: Final = 140


@dataclass(frozen=True, slots=True)
class Words:
    """How a channel's protocol names what it says."""

    key: str
    response_id: str
    settlement_date: str
    returned_amount: str
    return_id: str


PROMPTPAY: Final = Words("idempotencyKey", "responseId", "settlementDate", "returnedAmount", "returnId")
TRANSFER: Final = Words("idempotency_key", "response_id", "settlement_date", "returned_amount", "return_id")


def read_submit(request: RemoteRequest, words: Words, *, status: int, body: bytes) -> Reply:
    """Read the answer to a payment order."""
    reply = Reply(Unknown(Cause.UNREADABLE), http_status=status, excerpt=excerpt(body))
    if status >= 500:
        return replace(reply, outcome=Unknown(Cause.SERVER_ERROR))
    try:
        content = content_of(body)
    except Unreadable:
        return reply
    if 200 <= status < 300:
        return replace(reply, outcome=_payment(request, words, content, done=status in (200, 201)))
    if status == 422:
        return replace(reply, outcome=_refusal(request, words, content))
    if status == 409 and content.get("code") == "key_reused":
        return replace(reply, outcome=Unknown(Cause.CONTRADICTORY))
    return reply


def read_lookup(request: RemoteRequest, words: Words, *, status: int, body: bytes) -> Reply:
    """Read the answer to a lookup."""
    reply = Reply(Unknown(Cause.UNREADABLE), http_status=status, excerpt=excerpt(body))
    if status >= 500:
        return replace(reply, outcome=Unknown(Cause.SERVER_ERROR))
    try:
        content = content_of(body)
    except Unreadable:
        return reply
    if status == 200:
        return replace(reply, outcome=_payment(request, words, content, done=True))
    if status == 404 and content.get("code") == "not_found":
        if content.get(words.key, request.key) != request.key:
            return replace(reply, outcome=Unknown(Cause.CONTRADICTORY))
        return replace(reply, outcome=Unknown(Cause.NOT_FOUND), absent=True)
    return reply


def read_query(query: RecipientQuery, *, status: int, body: bytes) -> RecipientAnswer:
    """Read the answer to a recipient query. A fee above the amount is not believed."""
    if status >= 500:
        return Unanswered(Cause.SERVER_ERROR)
    try:
        content = content_of(body)
    except Unreadable:
        return Unanswered(Cause.UNREADABLE)
    if status == 422 and isinstance(code := content.get("code"), str) and code in REFUSALS:
        return NotPayable(code)
    lookup_ref, name = content.get("lookupRef"), content.get("receiverName")
    if status != 200 or not isinstance(lookup_ref, str) or not _REFERENCE.fullmatch(lookup_ref):
        return Unanswered(Cause.UNREADABLE)
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        return Unanswered(Cause.UNREADABLE)
    if content.get("currency") != query.asset:
        return Unanswered(Cause.CONTRADICTORY)
    try:
        fee = parse(content.get("fee"), Asset(query.asset, query.scale)).minor
    except InvalidAmount:
        return Unanswered(Cause.UNREADABLE)
    if not 0 <= fee <= query.amount_minor:
        return Unanswered(Cause.CONTRADICTORY)
    return Payable(lookup_ref, name, fee)


def _payment(request: RemoteRequest, words: Words, content: Mapping[str, object], *, done: bool) -> Outcome:
    """Read a payment. It must be the one that was asked for. One that came back later did happen."""
    status = content.get("status")
    if status not in ("pending", "rejected", *_SETTLED):
        return Unknown(Cause.UNREADABLE)
    for name in (words.key, "currency", "amount"):
        if not isinstance(content.get(name), str):
            return Unknown(Cause.UNREADABLE)
    if not _is_same(request, words, content):
        return Unknown(Cause.CONTRADICTORY)
    if status == "pending":
        return Unknown(Cause.PENDING)
    if not done:
        return Unknown(Cause.CONTRADICTORY)
    if status == "rejected":
        return _rejected(content.get("code"))
    response_id, settles = content.get(words.response_id), content.get(words.settlement_date)
    if not isinstance(response_id, str) or not _REFERENCE.fullmatch(response_id) or not isinstance(settles, str):
        return Unknown(Cause.UNREADABLE)
    try:
        return Confirmed(response_id, date.fromisoformat(settles), _came_back(request, words, content))
    except (ValueError, InvalidAmount):
        return Unknown(Cause.UNREADABLE)


def _came_back(request: RemoteRequest, words: Words, content: Mapping[str, object]) -> CameBack | None:
    """Read what came back: all of it, unless the answer says how much. Raises InvalidAmount or ValueError."""
    if content.get("status") != "returned" and words.returned_amount not in content:
        return None
    minor = request.amount_minor
    if words.returned_amount in content:
        minor = parse(content[words.returned_amount], _asset_of(request)).minor
    if not 0 < minor <= request.amount_minor:
        raise ValueError(f"{minor} of {request.amount_minor} cannot have come back")
    named = content.get(words.return_id, "")
    return CameBack(minor, named if isinstance(named, str) and _REFERENCE.fullmatch(named) else "")


def _refusal(request: RemoteRequest, words: Words, content: Mapping[str, object]) -> Outcome:
    """Read a refusal. It must name the key; what else it says must fit."""
    if content.get("status") != "rejected" or not isinstance(content.get(words.key), str):
        return Unknown(Cause.UNREADABLE)
    if not _is_same(request, words, content):
        return Unknown(Cause.CONTRADICTORY)
    return _rejected(content.get("code"))


def _rejected(code: object) -> Outcome:
    return Rejected(code) if isinstance(code, str) and code in REFUSALS else Unknown(Cause.UNREADABLE)


def _is_same(request: RemoteRequest, words: Words, content: Mapping[str, object]) -> bool:
    """Compare what the answer says about the payment, as far as it says it, with what was asked."""
    if content.get(words.key) != request.key or content.get("currency", request.asset) != request.asset:
        return False
    if "amount" not in content:
        return True
    try:
        return parse(content["amount"], _asset_of(request)).minor == request.amount_minor
    except InvalidAmount:
        return False


def _asset_of(request: RemoteRequest) -> Asset:
    return Asset(request.asset, len(request.amount_text.partition(".")[2]))
