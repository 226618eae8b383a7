"""One signed question over HTTP: whatever happens becomes a reply."""

from dataclasses import replace
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
    path = urlsplit(sent.url).path
    question = excerpt(f"{sent.method} {path} ".encode() + sent.body)
    return replace(_answered(sent, read=read), question=question)


def _answered(sent: outbound.OutboundRequest, *, read: Read) -> Reply:
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
        seen = excerpt(answered.beginning)
        return Reply(Unknown(cause), http_status=answered.status, excerpt=seen)
    except outbound.Broken:
        return Reply(Unknown(Cause.CONNECTION))
    return read(status=answer.status, body=answer.body)


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
