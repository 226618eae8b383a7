"""What an operator's wallet service answered, read as an outcome. Pure: docs/wallet-protocol.yaml in code.

Nothing is confirmed or rejected but by an answer that says so in the protocol's words, about this key,
operation, asset and amount. Whatever else comes back proves nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from ledger.money import Asset, InvalidAmount, parse
from wallets.answer_bodies import Unreadable, content_of, excerpt
from wallets.gateway_port import RemoteRequest, Reply
from wallets.outcomes import Cause, Confirmed, Outcome, Rejected, Unknown

# The protocol's words for "it did not happen and will not".
REFUSALS: Final = frozenset(
    {
        "declined",
        "insufficient_funds",
        "limit_exceeded",
        "nothing_to_reverse",
        "too_late",
        "user_unknown",
        "wallet_blocked",
    }
)
_REFUSED: Final = 422
_NOT_FOUND: Final = 404
_KEY_REUSED: Final = 409
_DONE: Final = (200, 201)
_REMOTE_REF: Final = re.compile(r"[!-~]{1,120}", re.ASCII)


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
    if status == _REFUSED:
        return replace(reply, outcome=_refusal(request, content))
    if status == _KEY_REUSED and content.get("code") == "key_reused":
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
    if status == _NOT_FOUND and content.get("code") == "not_found":
        if content.get("idempotency_key", request.key) != request.key:
            return replace(reply, outcome=Unknown(Cause.CONTRADICTORY))
        return replace(reply, outcome=Unknown(Cause.NOT_FOUND), absent=True)
    return reply


def _operation(request: RemoteRequest, content: Mapping[str, object], *, done: bool) -> Outcome:
    """Read an operation. It must be the one that was asked for, word by word."""
    status = content.get("status")
    if status not in ("confirmed", "pending", "rejected"):
        return Unknown(Cause.UNREADABLE)
    for name in ("idempotency_key", "operation", "asset", "amount"):
        if not isinstance(content.get(name), str):
            return Unknown(Cause.UNREADABLE)
    if not _is_same(request, content):
        return Unknown(Cause.CONTRADICTORY)
    if status == "pending":
        return Unknown(Cause.PENDING)
    if not done:
        return Unknown(Cause.CONTRADICTORY)
    if status == "rejected":
        return _rejected(content.get("code"))
    remote_ref = content.get("remote_ref")
    if not isinstance(remote_ref, str) or not _REMOTE_REF.fullmatch(remote_ref):
        return Unknown(Cause.UNREADABLE)
    return Confirmed(remote_ref)


def _refusal(request: RemoteRequest, content: Mapping[str, object]) -> Outcome:
    """Read a refusal. It must name the key; what else it says must fit."""
    if content.get("status") != "rejected" or not isinstance(content.get("idempotency_key"), str):
        return Unknown(Cause.UNREADABLE)
    if not _is_same(request, content):
        return Unknown(Cause.CONTRADICTORY)
    return _rejected(content.get("code"))


def _rejected(code: object) -> Outcome:
    return Rejected(code) if isinstance(code, str) and code in REFUSALS else Unknown(Cause.UNREADABLE)


def _is_same(request: RemoteRequest, content: Mapping[str, object]) -> bool:
    """Compare what the answer says about the operation, as far as it says it, with what was asked."""
    if content.get("idempotency_key") != request.key:
        return False
    if content.get("operation", request.leg) != request.leg or content.get("asset", request.asset) != request.asset:
        return False
    if "amount" not in content:
        return True
    scale = len(request.amount_text.partition(".")[2])
    try:
        return parse(content["amount"], Asset(request.asset, scale)).minor == request.amount_minor
    except InvalidAmount:
        return False
