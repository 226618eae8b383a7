"""One signed question over HTTP: whatever happens becomes a reply."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, Protocol
from urllib.parse import urlsplit

from ledger.controls import clock
from wallets.gateway_port import GatewayConnection, Reply
from wallets.gateways.bodies import excerpt
from wallets.outcomes import Cause, Unknown
from webhooks import outbound, signatures

LARGEST_ANSWER: Final = 64 * 1024


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


def signed(message_id: str, connection: GatewayConnection, *, request_id: str, body: bytes) -> dict[str, str]:
    """Return the headers of every question. The key is the signed message's id."""
    made = signatures.headers(
        secrets=[connection.secret],
        message_id=message_id,
        timestamp=int(clock.now().timestamp()),
        body=body,
    )
    return {"accept": "application/json", "x-request-id": request_id, **made}


def rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
