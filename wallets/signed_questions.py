"""A signed question over HTTP, as every adapter to the outside asks it: whatever happens becomes a reply."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from ledger.controls import clock
from wallets.answer_bodies import excerpt
from wallets.gateway_port import GatewayConnection, Reply
from wallets.outcomes import Cause, Unknown
from webhooks import outbound, signatures

_LARGEST_ANSWER: Final = 64 * 1024


class Read(Protocol):
    """Reads an answer as an outcome."""

    def __call__(self, *, status: int, body: bytes) -> Reply: ...


def exchanged(sent: outbound.OutboundRequest, *, read: Read) -> Reply:
    """Send, and turn whatever happens into a reply that says what was sent: never headers, which are signed."""
    question = question_of(sent)
    answer = answered(sent)
    if isinstance(answer, Unheard):
        unknown = Unknown(answer.cause)
        return Reply(unknown, answer.http_status, answer.excerpt, sent=answer.sent, question=question)
    return replace(read(status=answer.status, body=answer.body), question=question)


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nothing came back that could be read. `sent` is False only when surely nothing left this house."""

    cause: Cause
    sent: bool = True
    http_status: int | None = None
    excerpt: str = ""


def answered(sent: outbound.OutboundRequest) -> outbound.OutboundResponse | Unheard:
    """Send, and return the answer, or why there is none."""
    try:
        return outbound.send(sent)
    except outbound.OutboundRefused:
        return Unheard(Cause.NOT_ASKED, sent=False)
    except outbound.NotSent:
        return Unheard(Cause.CONNECTION, sent=False)
    except outbound.TimedOut:
        return Unheard(Cause.TIMEOUT)
    except outbound.TooLarge as seen:
        cause = Cause.SERVER_ERROR if seen.status >= 500 else Cause.UNREADABLE
        return Unheard(cause, http_status=seen.status, excerpt=excerpt(seen.beginning))
    except outbound.Broken:
        return Unheard(Cause.CONNECTION)


def question_of(sent: outbound.OutboundRequest) -> str:
    """Return the beginning of what is sent, redacted: never headers, which are signed."""
    return excerpt(f"{sent.method} {urlsplit(sent.url).path} ".encode() + sent.body)


def to_post(
    path: str,
    body: bytes,
    *,
    connection: GatewayConnection,
    message_id: str,
    request_id: str,
    timeout_seconds: float,
    not_after: datetime | None = None,
) -> outbound.OutboundRequest:
    """Return a signed POST of JSON. With `not_after` it is an ask: the message's id is its key, and it is void after that."""
    asks = {} if not_after is None else {"idempotency-key": message_id, "not-after": _rfc3339(not_after)}
    headers = {"content-type": "application/json", **asks}
    return _to_send("POST", path, body, headers, connection, message_id, request_id, timeout_seconds)


def to_look_up(
    path: str, key: str, *, connection: GatewayConnection, request_id: str, timeout_seconds: float
) -> outbound.OutboundRequest:
    """Return a signed GET of what became of a key."""
    path = f"{path}/{quote(key, safe=':')}"
    return _to_send("GET", path, b"", {}, connection, key, request_id, timeout_seconds)


def _to_send(
    method: str,
    path: str,
    body: bytes,
    headers: Mapping[str, str],
    connection: GatewayConnection,
    message_id: str,
    request_id: str,
    timeout_seconds: float,
) -> outbound.OutboundRequest:
    signed = signatures.headers(
        secrets=[connection.secret], message_id=message_id, timestamp=int(clock.now().timestamp()), body=body
    )
    return outbound.OutboundRequest(
        method=method,
        url=f"{connection.base_url.rstrip('/')}/{path}",
        environment=connection.environment,
        headers={"accept": "application/json", "x-request-id": request_id, **headers, **signed},
        body=body,
        timeout=timeout_seconds,
        max_response_bytes=_LARGEST_ANSWER,
    )


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
