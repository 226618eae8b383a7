"""The inbox: what providers tell us (DESIGN, Events). 0Pools' webhook handler pattern, split between request and worker.

1 verify signature over raw body          `receive`, by the provider's scheme (`provider_signatures`)
2 dedupe by event id                      `receive`: one insert, and a constraint decides
3 load the trade/order by quote or        `inbox_worker`: the handler that a floor above has registered for the kind
  transact id                             (`webhooks.routing.handle`) loads what `subjects` name
4 compare event status with current       the same handler, in the worker's transaction
  order state
5 apply only legal forward state          the same handler, through `move`, whose machines know no other; what is
  transitions                             stale, repeated or illegal is ignored with a reason, what is early is parked
6 store event payload reference and       `receive`, in the insert of step 2: the raw body, its digest, safe headers,
  request metadata                        request id
7 return 2xx quickly                      `inbox_views`, after 1, 2 and 6: a repeat too; steps 3 to 5 come later

Nothing is stored of a message that is refused but a count per provider, reason and day.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import structlog
from django.db import connection

from ledger.controls import bell, clock, references, request_context
from ledger.controls.refusals import Refusal
from ledger.controls.rest import bodies
from webhooks import provider_signatures, providers
from webhooks.message_paths import text_at
from webhooks.models import Provider
from webhooks.provider_signatures import Signed
from webhooks.signatures import InvalidSignature

log = structlog.get_logger(__name__)

KIND: Final = "inbox"

_EVENT_ID: Final = re.compile(r"[!-~]{1,255}")
_EVENT_KIND: Final = re.compile(r"[A-Za-z0-9._:/-]{1,100}")
_SUBJECT: Final = re.compile(r"[!-~]{1,255}")
_MOST_SUBJECTS: Final = 8
_KEPT_HEADERS: Final = ("content-type", "user-agent", "webhook-id", "webhook-timestamp", "x-request-id")
_LONGEST_HEADER: Final = 300
_JSON: Final = re.compile(r"application/([a-z0-9.+-]+\+)?json(\s*;\s*charset=\"?utf-?8\"?)?\s*", re.IGNORECASE)


class NotVerified(Refusal):
    """This message is not signed as this provider signs, or not now."""

    code = "not_verified"
    status = 401
    kept = False


class NotReadable(Refusal):
    """This message is not JSON in UTF-8 that names its event."""

    code = "not_readable"
    status = 400
    kept = False


class TooLarge(Refusal):
    """This message is larger than this provider's may be."""

    code = "body_too_large"
    status = 413
    kept = False


class Reception(StrEnum):
    RECEIVED = "received"
    REPEATED = "repeated"
    """An event of this id is stored already."""
    OTHER_CONTENT = "repeated_with_other_content"
    """So it is, and it said something else: the first one counts."""


@dataclass(frozen=True, slots=True)
class _Named:
    """What a message says that it is."""

    event_id: str
    kind: str
    subjects: list[str]
    transaction: str


def provider_for(code: str) -> Provider:
    """Return the provider of a path. Raises NotVerified: who may not send does not learn which codes exist."""
    provider = Provider.objects.filter(code=code).first()
    if provider is None:
        count("", "unknown_provider")
        raise NotVerified
    if provider.disabled_at is not None:
        count(provider.code, "disabled")
        raise NotVerified
    return provider


def refuse_large(provider: Provider, size: int) -> None:
    """Raise TooLarge for a body of so many bytes."""
    if size > provider.size_limit:
        count(provider.code, "too_large")
        raise TooLarge(f"A body has at most {provider.size_limit} bytes here.")


def receive(provider: Provider, *, headers: Mapping[str, str], body: bytes) -> Reception:
    """Verify, dedupe and store one message. Raises NotVerified, NotReadable or TooLarge; then only a count is kept."""
    refuse_large(provider, len(body))
    secrets, now = providers.present_secrets(provider)
    message_id = _verified(provider, secrets, headers, body, now)  # 1
    named = _read(provider, headers, body, message_id)
    reception = _store(provider, named, headers=headers, body=body, now=now)  # 2 and 6
    if reception is Reception.RECEIVED:
        bell.ring_after_commit(KIND)
    else:
        count(provider.code, reception.value)
    return reception


def count(code: str, reason: str) -> None:
    """Count one request that is not stored."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO webhooks_inboxcount (provider_code, reason, day, count)"
            " VALUES (%s, %s, (coalesce(%s::timestamptz, clock_timestamp()) AT TIME ZONE 'UTC')::date, 1)"
            " ON CONFLICT (provider_code, reason, day) DO UPDATE SET count = webhooks_inboxcount.count + 1",
            [code, reason, clock.parameter()],
        )


def _verified(
    provider: Provider, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: datetime
) -> str:
    """Step 1: verify the signature over the raw body, before anything of it is read."""
    signed = Signed(
        scheme=Provider.Scheme(provider.scheme),
        signature_header=provider.signature_header,
        timestamp_header=provider.timestamp_header,
        tolerance_seconds=provider.tolerance_seconds,
    )
    try:
        return provider_signatures.verify(
            signed,
            secrets=secrets,
            headers=headers,
            body=body,
            now=int(now.timestamp()),
        )
    except InvalidSignature as invalid:
        stale = invalid.reason == provider_signatures.STALE
        count(provider.code, "stale_timestamp" if stale else "bad_signature")
        raise NotVerified from None


def _read(provider: Provider, headers: Mapping[str, str], body: bytes, message_id: str) -> _Named:
    """Read who it is about. What cannot be read is refused: its sender can be told, and nothing of it could be used."""
    if not _JSON.fullmatch(headers.get("content-type", "")):
        count(provider.code, "content_type")
        raise NotReadable("The content type is application/json in UTF-8.")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        count(provider.code, "content_encoding")
        raise NotReadable("The body is not encoded.")
    try:
        content = bodies.read_json(body)
    except bodies.MalformedJson as malformed:
        count(provider.code, "not_json")
        raise NotReadable(malformed.message) from None
    mapping = provider.mapping
    event_id = text_at(content, mapping["event_id"]) if mapping.get("event_id") else message_id
    kind = text_at(content, mapping.get("kind", ""))
    if not _EVENT_ID.fullmatch(event_id) or not _EVENT_KIND.fullmatch(kind):
        count(provider.code, "no_event_id")
        raise NotReadable("The event has no id, or no kind.")
    subjects = [text_at(content, place) for place in mapping.get("subjects", [])][:_MOST_SUBJECTS]
    transaction = text_at(content, mapping.get("transaction") or providers.USUAL_TRANSACTION)
    return _Named(
        event_id=event_id,
        kind=kind,
        subjects=[subject for subject in subjects if _SUBJECT.fullmatch(subject)],
        transaction=transaction if _SUBJECT.fullmatch(transaction) else "",
    )


def _store(provider: Provider, named: _Named, *, headers: Mapping[str, str], body: bytes, now: datetime) -> Reception:
    """Steps 2 and 6: dedupe and store in one insert, with the audit row of the birth."""
    kept = {name: _printable(headers[name]) for name in _kept_headers(provider) if headers.get(name)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT webhooks_receive(%s, %s, %s, %s, %s::jsonb, %s, %s, %s, %s::jsonb, %s, %s)",
            [
                provider.pk,
                references.new(references.Prefix.INBOUND_EVENT),
                named.event_id,
                named.kind,
                json.dumps(named.subjects),
                named.transaction,
                body,
                f"sha256:{hashlib.sha256(body).hexdigest()}",
                json.dumps(kept),
                request_context.request_id(),
                now,
            ],
        )
        row = cursor.fetchone()
    assert row is not None
    return Reception(row[0])


def _kept_headers(provider: Provider) -> list[str]:
    return [*_KEPT_HEADERS, *([provider.timestamp_header.lower()] if provider.timestamp_header else [])]


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())[:_LONGEST_HEADER]
