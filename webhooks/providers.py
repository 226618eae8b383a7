"""Providers: who may send us events. Created, rotated with overlap, disabled by people; all in the caller's transaction.

A secret is returned by whoever makes it and shown once; the database has it encrypted.
"""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import connection

from ledger.controls import ciphers, clock, randomness
from ledger.controls.refusals import Malformed, NotFound, Refusal
from webhooks import signatures
from webhooks.models import Provider, ProviderSecret

Scheme = Provider.Scheme
log = structlog.get_logger(__name__)

LONGEST_OVERLAP: Final = timedelta(days=30)
LARGEST_BODY: Final = 1_000_000
_CODE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_-]{0,58}[A-Za-z0-9])?")
_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,60}")
_PATH: Final = re.compile(r"[A-Za-z0-9_-]{1,60}(\.[A-Za-z0-9_-]{1,60}){0,7}")
_FIELD: Final = re.compile(r"[a-z_]{1,40}")
_PRESENT: Final = """
SELECT t.now, ARRAY (SELECT s.secret FROM webhooks_providersecret AS s
                     WHERE s.provider_id = %(provider)s AND (s.expires_at IS NULL OR s.expires_at > t.now)
                     ORDER BY s.created_at DESC, s.id DESC LIMIT 8)
FROM (SELECT coalesce(%(now)s::timestamptz, clock_timestamp()) AS now) AS t
"""
_KIND: Final = re.compile(r"\*|[A-Za-z0-9_-]{1,40}(\.[A-Za-z0-9_-]{1,40}){0,4}(\.\*)?")
_MOST_KINDS: Final = 30
USUAL_TRANSACTION: Final = "data.transaction_id"
"""Where a provider's own reference is, unless its mapping says otherwise."""
_SECRET_LENGTHS: Final = range(16, 201)
_TOLERANCES: Final = range(1, 3601)


class ProviderExists(Refusal):
    """There is a provider of this code already."""

    code = "provider_exists"
    status = 409


@dataclass(frozen=True, slots=True)
class Terms:
    """How a provider signs, and where in its messages the ids are (dotted paths into the body)."""

    scheme: Provider.Scheme
    kind: str
    subjects: Sequence[str]
    kinds: Sequence[str] = ()
    """Which kinds of news it may bring: `payin.collected`, the family `payin.*`, or `*` for all; never none."""
    event_id: str = ""
    transaction: str = ""
    signature_header: str = ""
    timestamp_header: str = ""
    tolerance_seconds: int = signatures.TOLERANCE_SECONDS
    size_limit: int = 65_536
    fields: Mapping[str, str] = field(default_factory=dict)
    """Paths of what a handler reads beside the ids (a pay-in's `amount`), where they are not the usual ones."""


@dataclass(frozen=True, slots=True)
class Made:
    """A provider and the secret that it was given just now."""

    provider: Provider
    secret: str


def find(code: str) -> Provider:
    """Return a provider, locked. Raises NotFound."""
    provider = Provider.objects.select_for_update().filter(code=code).first()
    if provider is None:
        raise NotFound(f"There is no provider {code}.")
    return provider


def places(provider_id: int) -> Mapping[str, str]:
    """Return the paths of a provider's mapping that handlers read by name."""
    mapping = Provider.objects.filter(pk=provider_id).values_list("mapping", flat=True).first()
    return dict((mapping or {}).get("fields", {}))


def may_bring(provider_id: int, kind: str) -> bool:
    """Tell whether a provider may bring news of this kind, as its row says now."""
    allowed = Provider.objects.filter(pk=provider_id).values_list("kinds", flat=True).first() or []
    return _is_among(kind, allowed)


def bringing(kind: str) -> list[str]:
    """Return the codes of the providers that may bring news of this kind, in order."""
    rows = Provider.objects.order_by("code").values_list("code", "kinds")
    return [code for code, allowed in rows if _is_among(kind, allowed)]


def exists(code: str) -> bool:
    return Provider.objects.filter(code=code).exists()


def create(
    *, code: str, environment: str, operator_id: int | None, terms: Terms, now: datetime, secret: str = ""
) -> Made:
    """Create a provider with a secret: the given one, or one of ours. Raises Malformed or ProviderExists."""
    if not _CODE.fullmatch(code):
        raise Malformed("A provider's code is 1 to 60 letters, digits, hyphens and underscores.")
    _check(terms)
    secret = secret or _drawn(terms.scheme)
    _check_secret(terms.scheme, secret)
    if exists(code):
        raise ProviderExists
    provider = Provider.objects.create(
        code=code,
        environment=environment,
        operator_id=operator_id,
        scheme=terms.scheme,
        signature_header=terms.signature_header,
        timestamp_header=terms.timestamp_header,
        tolerance_seconds=terms.tolerance_seconds,
        size_limit=terms.size_limit,
        mapping=_mapping(terms),
        kinds=_checked_kinds(terms.kinds),
        created_at=now,
    )
    log.info("provider.created", provider=code)
    return _given(provider, secret, now=now)


def rotate(*, code: str, overlap: timedelta, now: datetime, secret: str = "") -> Made:
    """Give a provider a new secret; the older ones stay valid for the overlap. Raises NotFound or Malformed."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Malformed(f"The overlap is at most {LONGEST_OVERLAP.days} days.")
    provider = find(code)
    secret = secret or _drawn(provider.scheme)
    _check_secret(provider.scheme, secret)
    ends = now + overlap
    provider.secrets.filter(expires_at__isnull=True).update(expires_at=ends)
    provider.secrets.filter(expires_at__gt=ends).update(expires_at=ends)
    log.info("provider.rotated", provider=code)
    return _given(provider, secret, now=now)


def allow(*, code: str, kinds: Sequence[str]) -> None:
    """Say anew which kinds of news a provider may bring, for all that is judged from now on. Raises NotFound or Malformed."""
    provider = find(code)
    provider.kinds = _checked_kinds(kinds)
    provider.save(update_fields=["kinds"])
    log.info("provider.allowed", provider=code, kinds=provider.kinds)


def disable(*, code: str, reason: str, now: datetime) -> None:
    """Take nothing more from a provider: its messages are answered 401. Raises NotFound."""
    provider = find(code)
    Provider.objects.filter(pk=provider.pk, disabled_at__isnull=True).update(
        disabled_at=now, disabled_reason=reason[:200]
    )
    log.info("provider.disabled", provider=code)


def enable(*, code: str) -> None:
    """Take a provider's messages again. Raises NotFound."""
    provider = find(code)
    Provider.objects.filter(pk=provider.pk).update(disabled_at=None, disabled_reason="")
    log.info("provider.enabled", provider=code)


def newest_secret(code: str, *, now: datetime) -> str:
    """Return the secret to sign with, for a counterparty of ours such as the sandbox. Raises NotFound."""
    return valid_secrets(find(code), now=now)[0]


def present_secrets(provider: Provider) -> tuple[list[str], datetime]:
    """Return the secrets that verify now, newest first, and the instant: one question, since every message asks it."""
    with connection.cursor() as cursor:
        cursor.execute(_PRESENT, {"now": clock.parameter(), "provider": provider.pk})
        row = cursor.fetchone()
    assert row is not None
    return [ciphers.decrypt(kept).decode() for kept in row[1]], row[0]


def valid_secrets(provider: Provider, *, now: datetime) -> list[str]:
    """Return the secrets that verify at an instant, newest first; at most a handful."""
    rows = provider.secrets.order_by("-created_at", "-pk")[:8]
    return [row.secret for row in rows if row.expires_at is None or row.expires_at > now]


def _given(provider: Provider, secret: str, *, now: datetime) -> Made:
    ProviderSecret.objects.create(provider=provider, secret=secret, created_at=now)
    return Made(provider, secret)


def _drawn(scheme: str) -> str:
    octets = randomness.octets(32)
    standard = scheme == Provider.Scheme.STANDARD
    return signatures.make_secret(octets) if standard else base64.urlsafe_b64encode(octets).decode()


def _check_secret(scheme: str, secret: str) -> None:
    if scheme == Provider.Scheme.STANDARD:
        try:
            signatures.sign(secrets=[secret], message_id="check", timestamp=0, body=b"")
        except signatures.MalformedSecret as malformed:
            raise Malformed(str(malformed)) from None
    elif len(secret) not in _SECRET_LENGTHS or not secret.isprintable():
        raise Malformed("A secret has 16 to 200 printable characters.")


def _check(terms: Terms) -> None:
    paths = [terms.kind, *terms.subjects, *filter(None, (terms.event_id, terms.transaction)), *terms.fields.values()]
    if not all(_PATH.fullmatch(path) for path in paths) or len(terms.subjects) > 8:
        raise Malformed("A mapping's paths are names joined by dots, such as data.object.id; kind is needed.")
    if not all(_FIELD.fullmatch(name) for name in terms.fields) or len(terms.fields) > 16:
        raise Malformed("A mapping's fields have plain names, such as amount.")
    if terms.tolerance_seconds not in _TOLERANCES:
        raise Malformed("The tolerance is 1 to 3600 seconds.")
    if not 0 < terms.size_limit <= LARGEST_BODY:
        raise Malformed(f"The size limit is 1 to {LARGEST_BODY} bytes.")
    if terms.scheme == Provider.Scheme.STANDARD:
        return
    if not _HEADER.fullmatch(terms.signature_header) or not terms.event_id:
        raise Malformed("This scheme needs the signature's header and the path of the event id.")
    if terms.timestamp_header and not _HEADER.fullmatch(terms.timestamp_header):
        raise Malformed("The timestamp's header is a header's name.")


def _checked_kinds(kinds: Sequence[str]) -> list[str]:
    if not 0 < len(kinds) <= _MOST_KINDS or not all(_KIND.fullmatch(kind) for kind in kinds):
        raise Malformed("Say which kinds of news it may bring: payin.collected, a family as payin.*, or * for all.")
    return sorted(set(kinds))


def _mapping(terms: Terms) -> Mapping[str, object]:
    return {
        "event_id": terms.event_id,
        "kind": terms.kind,
        "transaction": terms.transaction,
        "subjects": list(terms.subjects),
        "fields": dict(terms.fields),
    }


def _is_among(kind: str, allowed: Iterable[str]) -> bool:
    return any(one in ("*", kind) or (one.endswith(".*") and kind.startswith(one[:-1])) for one in allowed)
