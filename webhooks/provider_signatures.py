"""Is a message what the holder of one of the provider's secrets sent, and now? Four schemes, over the raw body. Pure.

`verify` is given the header's names and the time; it raises InvalidSignature, whatever the headers look like.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, assert_never

from webhooks import signatures
from webhooks.inbox_models import Provider
from webhooks.signatures import InvalidSignature

STALE: Final = "the timestamp is too far from now"
_SIGNATURES_READ: Final = 16
_Scheme = Provider.Scheme


@dataclass(frozen=True, slots=True)
class Signed:
    """How a provider signs. Header names are compared without regard to case."""

    scheme: Provider.Scheme
    signature_header: str
    timestamp_header: str
    tolerance_seconds: int


def verify(signed: Signed, *, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: int) -> str:
    """Return the message's id, or "" where the scheme has none. `now` is in seconds of Unix time."""
    found = {name.lower(): value for name, value in headers.items()}
    if not secrets:
        raise InvalidSignature("no secret is valid")
    match signed.scheme:
        case _Scheme.STANDARD:
            return signatures.verify(
                secrets=secrets, headers=found, body=body, now=now, tolerance=signed.tolerance_seconds
            )
        case _Scheme.HMAC_HEX | _Scheme.HMAC_BASE64:
            _verify_plain(signed, secrets, found, body, now)
        case _Scheme.HMAC_TIMESTAMPED:
            _verify_timestamped(signed, secrets, found, body, now)
        case _:
            assert_never(signed.scheme)
    return ""


def _verify_plain(signed: Signed, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: int) -> None:
    given = headers.get(signed.signature_header.lower(), "").removeprefix("sha256=")
    content = body
    if signed.timestamp_header:
        timestamp = headers.get(signed.timestamp_header.lower(), "")
        _refuse_stale(timestamp, signed, now)
        content = timestamp.encode() + b"." + body
    read = _hex if signed.scheme == _Scheme.HMAC_HEX else _base64
    _refuse_unfit(secrets, content, [read(given)])


def _verify_timestamped(
    signed: Signed, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: int
) -> None:
    parts = [part.strip().partition("=") for part in headers.get(signed.signature_header.lower(), "").split(",")]
    timestamp = next((value for name, _, value in parts if name == "t"), "")
    _refuse_stale(timestamp, signed, now)
    given = [_hex(value) for name, _, value in parts if name == "v1"]
    _refuse_unfit(secrets, timestamp.encode() + b"." + body, given)


def _refuse_stale(timestamp: str, signed: Signed, now: int) -> None:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise InvalidSignature("the timestamp is no whole number")
    if abs(now - int(timestamp)) > signed.tolerance_seconds:
        raise InvalidSignature(STALE)


def _refuse_unfit(secrets: Sequence[str], content: bytes, given: Sequence[bytes]) -> None:
    fits = False
    for secret in secrets:
        expected = hmac.digest(secret.encode(), content, hashlib.sha256)
        for signature in given[:_SIGNATURES_READ]:
            fits |= hmac.compare_digest(expected, signature)
    if not fits:
        raise InvalidSignature("no signature fits")


def _hex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text.encode("ascii"))
    except (binascii.Error, ValueError):
        return b""


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return b""
