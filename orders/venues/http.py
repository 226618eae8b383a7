"""An outside venue over HTTP, as docs/venue-protocol.yaml describes it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

from ledger.controls import clock, references
from ledger.environments import Environment
from orders.venues import http_answers
from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from wallets.outcomes import Cause, Unknown
from wallets.price_port import PriceHeard, PriceQuestion, PriceUnknown
from webhooks import outbound, signatures

LARGEST_ANSWER: Final = 64 * 1024
_TERMS: Final = ("pool", "side", "given_asset", "given_amount", "quote_id", "venue_quote_id")


class HttpVenue:
    """POST /quotes, /reserve, /execute, /release and GET /operations/{idempotency_key}, each question signed."""

    def ask(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        not_after: datetime,
        timeout_seconds: float,
    ) -> Reply:
        """Ask once. The body depends on nothing but the request, so that the same key has the same body."""
        sent = _sent(
            "POST",
            request.leg,
            connection,
            body=_body(request, connection),
            message_id=request.key,
            request_id=request_id,
            timeout=timeout_seconds,
            more={"idempotency-key": request.key, "not-after": _rfc3339(not_after)},
        )
        return _exchanged(request, sent, read=http_answers.read_ask)

    def look_up(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        timeout_seconds: float,
    ) -> Reply:
        """Ask what became of the key."""
        sent = _sent(
            "GET",
            f"operations/{quote(request.key, safe=':')}",
            connection,
            body=b"",
            message_id=request.key,
            request_id=request_id,
            timeout=timeout_seconds,
        )
        return _exchanged(request, sent, read=http_answers.read_lookup)

    def price(
        self, question: PriceQuestion, *, connection: GatewayConnection, request_id: str, timeout_seconds: float
    ) -> PriceHeard:
        """Ask for an offer. Moves nothing."""
        content = {
            "pool": question.pool,
            "side": question.side,
            "taken_asset": question.taken_asset,
            "taken_amount": question.taken_text,
            "given_asset": question.given_asset,
            "given_decimals": question.given_scale,
        }
        sent = _sent(
            "POST",
            "quotes",
            connection,
            body=_json(content),
            message_id=references.new(references.Prefix.REQUEST),
            request_id=request_id,
            timeout=timeout_seconds,
        )
        asked = _excerpt_of(sent)
        try:
            answer = outbound.send(sent)
        except (outbound.OutboundRefused, outbound.NotSent, outbound.TimedOut, outbound.Broken) as problem:
            cause, was_sent = _failure(problem)
            return PriceHeard(PriceUnknown(cause, sent=was_sent), question=asked)
        reply = http_answers.read_price(question, status=answer.status, body=answer.body)
        return PriceHeard(reply, answer.status, question=asked, excerpt=http_answers.excerpt(answer.body))


def _exchanged(request: RemoteRequest, sent: outbound.OutboundRequest, *, read: Callable[..., Reply]) -> Reply:
    """Send, and turn whatever happens into a reply that says what was sent: never headers, which are signed."""
    question = _excerpt_of(sent)
    try:
        answer = outbound.send(sent)
    except outbound.TooLarge as answered:
        cause = Cause.SERVER_ERROR if answered.status >= 500 else Cause.UNREADABLE
        seen = http_answers.excerpt(answered.beginning)
        return Reply(Unknown(cause), http_status=answered.status, excerpt=seen, question=question)
    except (outbound.OutboundRefused, outbound.NotSent, outbound.TimedOut, outbound.Broken) as problem:
        cause, was_sent = _failure(problem)
        return Reply(Unknown(cause), sent=was_sent, question=question)
    return replace(read(request, status=answer.status, body=answer.body), question=question)


def _excerpt_of(sent: outbound.OutboundRequest) -> str:
    return http_answers.excerpt(f"{sent.method} {urlsplit(sent.url).path} ".encode() + sent.body)


def _failure(problem: Exception) -> tuple[Cause, bool]:
    """Return the cause of an exchange without an answer, and whether anything may have been sent."""
    match problem:
        case outbound.OutboundRefused():
            return Cause.NOT_ASKED, False
        case outbound.NotSent():
            return Cause.CONNECTION, False
        case outbound.TimedOut():
            return Cause.TIMEOUT, True
        case _:
            return Cause.CONNECTION, True


def _sent(
    method: str,
    path: str,
    connection: GatewayConnection,
    *,
    body: bytes,
    message_id: str,
    request_id: str,
    timeout: float,
    more: Mapping[str, str] | None = None,
) -> outbound.OutboundRequest:
    """Return a signed question; the key is the signed message's id."""
    signed = signatures.headers(
        secrets=[connection.secret], message_id=message_id, timestamp=int(clock.now().timestamp()), body=body
    )
    headers = {"accept": "application/json", "x-request-id": request_id, **(more or {}), **signed}
    if body:
        headers["content-type"] = "application/json"
    return outbound.OutboundRequest(
        method=method,
        url=f"{connection.base_url.rstrip('/')}/{path}",
        environment=connection.environment,
        headers=headers,
        body=body,
        timeout=timeout,
        max_response_bytes=LARGEST_ANSWER,
    )


def _body(request: RemoteRequest, connection: GatewayConnection) -> bytes:
    """Write the terms and our ids. Whose order it is, the venue learns in the test environment alone (magic values)."""
    content = {
        "operation": request.leg,
        "transact_id": request.owner,
        "taken_asset": request.asset,
        "taken_amount": request.amount_text,
        **{name: request.details[name] for name in _TERMS},
    }
    if connection.environment == Environment.TEST:
        content["user_reference"] = request.user_reference
    return _json(content)


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
