"""What an outside venue answered, read as an outcome. Pure: docs/venue-protocol.yaml in code.

Nothing is confirmed or rejected but by an answer that says so in the protocol's words, about this key, operation, trade and
these terms. Whatever else comes back proves nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ledger.money import Asset, InvalidAmount, parse
from wallets.answer_bodies import Unreadable, content_of, excerpt
from wallets.gateway_port import RemoteRequest, Reply
from wallets.outcomes import Cause, Confirmed, Outcome, Rejected, Unknown
from wallets.price_port import Price, PriceQuestion, PriceRefused, PriceReply, PriceUnknown

# The protocol's words for "it did not happen and will not".
REFUSALS: Final = frozenset(
    {
        "closed",
        "declined",
        "executed",
        "limit_exceeded",
        "not_reserved",
        "price_moved",
        "quote_unknown",
        "released",
        "too_late",
    }
)
_DONE: Final = (200, 201)
_REFERENCE: Final = re.compile(r"[!-~]{1,120}", re.ASCII)


def read_ask(request: RemoteRequest, *, status: int, body: bytes) -> Reply:
    """Read the answer to an ask."""
    reply = Reply(Unknown(Cause.UNREADABLE), http_status=status, excerpt=excerpt(body))
    if status >= 500:
        return replace(reply, outcome=Unknown(Cause.SERVER_ERROR))
    try:
        content = content_of(body)
    except Unreadable:
        return reply
    if 200 <= status < 300:
        return replace(reply, outcome=_operation(request, content, done=status in _DONE))
    if status == 422:
        return replace(reply, outcome=_refusal(request, content))
    if status == 409 and content.get("code") == "key_reused":
        return replace(reply, outcome=Unknown(Cause.CONTRADICTORY))
    return reply


def read_lookup(request: RemoteRequest, *, status: int, body: bytes) -> Reply:
    """Read the answer to a lookup."""
    reply = Reply(Unknown(Cause.UNREADABLE), http_status=status, excerpt=excerpt(body))
    if status >= 500:
        return replace(reply, outcome=Unknown(Cause.SERVER_ERROR))
    try:
        content = content_of(body)
    except Unreadable:
        return reply
    if status in _DONE:
        return replace(reply, outcome=_operation(request, content, done=True))
    if status == 404 and content.get("code") == "not_found":
        if content.get("idempotency_key", request.key) != request.key:
            return replace(reply, outcome=Unknown(Cause.CONTRADICTORY))
        return replace(reply, outcome=Unknown(Cause.NOT_FOUND), absent=True)
    return reply


def read_price(question: PriceQuestion, *, status: int, body: bytes) -> PriceReply:
    """Read an offer: for exactly what was asked, with an amount of the given asset above zero."""
    if status >= 500:
        return PriceUnknown(Cause.SERVER_ERROR)
    try:
        content = content_of(body)
    except Unreadable:
        return PriceUnknown(Cause.UNREADABLE)
    if status == 422 and isinstance(content.get("code"), str):
        return PriceRefused(str(content["code"])[:40])
    if status not in _DONE:
        return PriceUnknown(Cause.UNREADABLE)
    asked = {
        "pool": question.pool,
        "side": question.side,
        "taken_asset": question.taken_asset,
        "taken_amount": question.taken_text,
        "given_asset": question.given_asset,
    }
    quote_id = content.get("quote_id")
    if not isinstance(quote_id, str) or not _REFERENCE.fullmatch(quote_id):
        return PriceUnknown(Cause.UNREADABLE)
    if any(content.get(name) != value for name, value in asked.items()):
        return PriceUnknown(Cause.CONTRADICTORY)
    try:
        given = parse(content.get("given_amount"), Asset(question.given_asset, question.given_scale))
    except InvalidAmount:
        return PriceUnknown(Cause.UNREADABLE)
    return Price(given.minor, quote_id) if given.minor > 0 else PriceRefused("nothing")


def _operation(request: RemoteRequest, content: Mapping[str, object], *, done: bool) -> Outcome:
    """Read an operation. It must be the one that was asked for, with its terms word by word."""
    status = content.get("status")
    if status not in ("confirmed", "pending", "rejected"):
        return Unknown(Cause.UNREADABLE)
    if any(not isinstance(content.get(name), str) for name in ("idempotency_key", *_terms(request))):
        return Unknown(Cause.UNREADABLE)
    if not _is_same(request, content):
        return Unknown(Cause.CONTRADICTORY)
    if status == "pending":
        return Unknown(Cause.PENDING)
    if not done:
        return Unknown(Cause.CONTRADICTORY)
    if status == "rejected":
        return _rejected(content.get("code"))
    reference = content.get("venue_ref")
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        return Unknown(Cause.UNREADABLE)
    return Confirmed(reference)


def _refusal(request: RemoteRequest, content: Mapping[str, object]) -> Outcome:
    """Read a refusal. It must name the key; what else it says must fit."""
    if content.get("status") != "rejected" or not isinstance(content.get("idempotency_key"), str):
        return Unknown(Cause.UNREADABLE)
    return _rejected(content.get("code")) if _is_same(request, content) else Unknown(Cause.CONTRADICTORY)


def _rejected(code: object) -> Outcome:
    return Rejected(code) if isinstance(code, str) and code in REFUSALS else Unknown(Cause.UNREADABLE)


def _terms(request: RemoteRequest) -> Mapping[str, str]:
    """Return what an answer repeats of its question, beside the key."""
    return {
        "operation": request.leg,
        "transact_id": request.owner,
        "taken_asset": request.asset,
        "taken_amount": request.amount_text,
        "given_asset": request.details["given_asset"],
        "given_amount": request.details["given_amount"],
    }


def _is_same(request: RemoteRequest, content: Mapping[str, object]) -> bool:
    """Compare what the answer says, as far as it says it, with what was asked; amounts as exact numbers."""
    if content.get("idempotency_key") != request.key:
        return False
    return all(name not in content or _fits(name, asked, content[name]) for name, asked in _terms(request).items())


def _fits(name: str, asked: str, said: object) -> bool:
    if not name.endswith("_amount"):
        return said == asked
    asset = Asset("any", len(asked.partition(".")[2]))
    try:
        return parse(said, asset).minor == parse(asked, asset).minor
    except InvalidAmount:
        return False
