"""The operator's wallet service over HTTP, as docs/wallet-protocol.yaml describes it."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlsplit

from ledger.controls import clock
from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply
from wallets.gateways import operator_answers
from wallets.outcomes import Cause, Unknown
from webhooks import outbound, signatures

LARGEST_ANSWER: Final = 64 * 1024


class HttpOperatorWallet:
    """POST /debit, /credit, /reverse and GET /operations/{idempotency_key}, each question signed."""

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
        body = _body(request)
        sent = outbound.OutboundRequest(
            method="POST",
            url=f"{connection.base_url.rstrip('/')}/{request.leg}",
            environment=connection.environment,
            headers={
                "content-type": "application/json",
                "idempotency-key": request.key,
                "not-after": _rfc3339(not_after),
                **_questioned(request, connection, request_id=request_id, body=body),
            },
            body=body,
            timeout=timeout_seconds,
            max_response_bytes=LARGEST_ANSWER,
        )
        return _exchanged(request, sent, read=operator_answers.read_ask)

    def look_up(
        self,
        request: RemoteRequest,
        *,
        connection: GatewayConnection,
        request_id: str,
        timeout_seconds: float,
    ) -> Reply:
        """Ask what became of the key."""
        sent = outbound.OutboundRequest(
            method="GET",
            url=f"{connection.base_url.rstrip('/')}/operations/{quote(request.key, safe=':')}",
            environment=connection.environment,
            headers=_questioned(request, connection, request_id=request_id, body=b""),
            timeout=timeout_seconds,
            max_response_bytes=LARGEST_ANSWER,
        )
        return _exchanged(request, sent, read=operator_answers.read_lookup)


def _exchanged(request: RemoteRequest, sent: outbound.OutboundRequest, *, read: Callable[..., Reply]) -> Reply:
    """Send, and turn whatever happens into a reply that says what was sent: never headers, which are signed."""
    path = urlsplit(sent.url).path
    question = operator_answers.excerpt(f"{sent.method} {path} ".encode() + sent.body)
    return replace(_answered(request, sent, read=read), question=question)


def _answered(request: RemoteRequest, sent: outbound.OutboundRequest, *, read: Callable[..., Reply]) -> Reply:
    try:
        answer = outbound.send(sent)
    except outbound.OutboundRefused:
        return Reply(Unknown(Cause.NOT_ASKED), sent=False)
    except outbound.NotSent:
        return Reply(Unknown(Cause.CONNECTION), sent=False)
    except outbound.TimedOut:
        return Reply(Unknown(Cause.TIMEOUT))
    except outbound.TooLarge as answered:
        cause = Cause.SERVER_ERROR if answered.status >= 500 else Cause.UNREADABLE
        seen = operator_answers.excerpt(answered.beginning)
        return Reply(Unknown(cause), http_status=answered.status, excerpt=seen)
    except outbound.Broken:
        return Reply(Unknown(Cause.CONNECTION))
    return read(request, status=answer.status, body=answer.body)


def _body(request: RemoteRequest) -> bytes:
    content = {
        "operation": request.leg,
        "asset": request.asset,
        "amount": request.amount_text,
        "user_reference": request.user_reference,
        "reference": request.owner,
        "metadata": dict(request.metadata),
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _questioned(
    request: RemoteRequest, connection: GatewayConnection, *, request_id: str, body: bytes
) -> dict[str, str]:
    """Return the headers of every question. The key is the signed message's id."""
    signed = signatures.headers(
        secrets=[connection.secret],
        message_id=request.key,
        timestamp=int(clock.now().timestamp()),
        body=body,
    )
    return {"accept": "application/json", "x-request-id": request_id, **signed}


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
