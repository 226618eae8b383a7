"""Send one claimed delivery and judge what came back. No database here: this runs in a thread of its own."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from ledger.controls import ciphers, randomness
from ledger.controls.redaction import REDACTED, redacted
from webhooks import backoff, delivery_kinds, outbound, signatures
from webhooks.claiming import LEASE, Claimed, Lane
from webhooks.delivery_kinds import SignedMessage
from webhooks.transitions import Attempted, Verdict

TIMEOUT: Final = timedelta(seconds=15)
_MARGIN: Final = timedelta(seconds=5)
_LARGEST_ANSWER: Final = 16 * 1024
_EXCERPT: Final = 500


def send_lane(lane: Lane) -> list[Attempted]:
    """Send the deliveries of one lane in sequence, up to the first that is tried again or that says to send no more.

    The rest is given back.
    """
    results: list[Attempted] = []
    for claimed in lane:
        if results and (results[-1].verdict in (Verdict.RETRY, Verdict.UNSENT) or results[-1].disable is not None):
            results.append(_given_back(claimed))
        else:
            results.append(send_one(claimed))
    return results


def send_one(claimed: Claimed) -> Attempted:
    """Send a delivery once, unless its endpoint is disabled or its lease is too short by now."""
    if claimed.endpoint_disabled:
        return Attempted(
            id=claimed.id,
            token=claimed.token,
            number=claimed.attempt,
            verdict=Verdict.DEAD,
            cause="endpoint disabled",
            request_id=claimed.request_id,
        )
    waited = timedelta(seconds=claimed.seconds_since)
    if waited + TIMEOUT + _MARGIN > LEASE:
        return _given_back(claimed)
    started_at = claimed.claimed_at + waited
    try:
        secrets = tuple(ciphers.decrypt(kept).decode() for kept in claimed.kept_secrets)
    except ciphers.Unreadable:  # this endpoint's alone: the others' deliveries go on
        return _judged(claimed, started_at, failure="not signed: no key of SECRETS_KEYS reads its secret")
    message = _message(claimed, secrets, timestamp=int(started_at.timestamp()))
    try:
        answer = delivery_kinds.adapter(claimed.kind).send(message)
    except outbound.TooLarge as error:  # the status says it all
        answer = outbound.OutboundResponse(status=error.status, headers={}, body=error.beginning)
    except outbound.OutboundRefused as error:
        return _judged(claimed, started_at, failure=f"refused: {error}")
    except outbound.NotSent as error:
        return _judged(claimed, started_at, failure=f"no connection: {error}")
    except outbound.TimedOut as error:
        return _judged(claimed, started_at, failure=f"timed out: {error}")
    except outbound.Broken as error:
        return _judged(claimed, started_at, failure=f"broken: {error}")
    return _judged(claimed, started_at, answer=answer, excerpt=_excerpt(answer.body, secrets, message.headers))


def body_of(claimed: Claimed) -> bytes:
    """Return the body: the same bytes in every attempt."""
    message = {
        "type": claimed.topic,
        "timestamp": claimed.recorded_at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "id": claimed.event_reference,
        "environment": claimed.environment,
        "data": claimed.payload,
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def _message(claimed: Claimed, secrets: Sequence[str], *, timestamp: int) -> SignedMessage:
    body = body_of(claimed)
    return SignedMessage(
        url=claimed.url,
        environment=claimed.environment,
        headers={
            **({"x-request-id": claimed.request_id} if claimed.request_id else {}),
            **signatures.headers(secrets=secrets, message_id=claimed.event_reference, timestamp=timestamp, body=body),
        },
        body=body,
        aggregate=claimed.aggregate,
        timeout=TIMEOUT.total_seconds(),
        max_response_bytes=_LARGEST_ANSWER,
    )


def _judged(
    claimed: Claimed,
    started_at: datetime,
    *,
    answer: outbound.OutboundResponse | None = None,
    failure: str = "",
    excerpt: str = "",
) -> Attempted:
    ended_at = claimed.claimed_at + timedelta(seconds=claimed.seconds_since)
    delivered = answer is not None and 200 <= answer.status < 300
    gone = answer is not None and answer.status == 410
    delay = backoff.delay_after(
        attempt=claimed.attempt,
        fraction=randomness.fraction(),
        retry_after=backoff.read_retry_after(answer.headers.get("retry-after", ""), now=ended_at) if answer else None,
    )
    verdict = Verdict.DELIVERED if delivered else Verdict.DEAD if gone or delay is None else Verdict.RETRY
    said = f"answered {answer.status}" if answer else failure
    return Attempted(
        id=claimed.id,
        token=claimed.token,
        number=claimed.attempt,
        verdict=verdict,
        cause=said[:200],
        request_id=claimed.request_id,
        started_at=started_at,
        duration_ms=int((ended_at - started_at) / timedelta(milliseconds=1)),
        http_status=answer.status if answer else None,
        failure="" if delivered else said[:200],
        excerpt=excerpt,
        delay=delay.total_seconds() if delay else 0,
        succeeded=delivered,
        disable="the endpoint answered 410 Gone" if gone else None,
    )


def _given_back(claimed: Claimed) -> Attempted:
    return Attempted(
        id=claimed.id, token=claimed.token, number=claimed.attempt, verdict=Verdict.UNSENT, cause="not sent"
    )


def _excerpt(body: bytes, secrets: Sequence[str], sent: Mapping[str, str]) -> str:
    """Return the answer's beginning without secrets and signatures, should the receiver echo them."""
    text = body.decode(errors="replace").replace("\0", "")
    for secret in secrets:
        for hidden in (secret, secret.removeprefix(signatures.PREFIX)):
            text = text.replace(hidden, REDACTED)
    for signature in sent["webhook-signature"].split(" "):
        text = text.replace(signature, REDACTED)
    return str(redacted(text[:_LARGEST_ANSWER]))[:_EXCERPT]
