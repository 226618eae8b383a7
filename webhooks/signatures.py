"""Standard Webhooks signatures: `v1,` and the base64 HMAC-SHA256 of id.timestamp.body. Pure: the caller knows the time.

Used for what leaves (deliveries, requests to wallets) and for what arrives.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Final

PREFIX: Final = "whsec_"
TOLERANCE_SECONDS: Final = 300
_SECRET_BYTES: Final = range(24, 65)
_SIGNATURES_READ: Final = 16


class MalformedSecret(ValueError):
    """A secret is whsec_ and the base64 of 24 to 64 bytes."""

    def __init__(self) -> None:
        super().__init__((type(self).__doc__ or "").strip())


class InvalidSignature(Exception):
    """The message is not what the holder of the secret sent, or not now."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def make_secret(octets: bytes) -> str:
    """Return the secret for these random bytes (24 to 64)."""
    if len(octets) not in _SECRET_BYTES:
        raise MalformedSecret
    return PREFIX + base64.b64encode(octets).decode()


def sign(*, secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the `webhook-signature` header: one signature per secret, several during a rotation."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return " ".join(
        "v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode() for secret in secrets
    )


def headers(*, secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Return the three headers of a signed message."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secrets=secrets, message_id=message_id, timestamp=timestamp, body=body),
    }


def verify(
    *, secrets: Sequence[str], headers: Mapping[str, str], body: bytes, now: int, tolerance: int = TOLERANCE_SECONDS
) -> str:
    """Return the message's id if one signature fits one secret and its timestamp is within the tolerance.

    `now` is in seconds of Unix time. Raises InvalidSignature, whatever the headers look like.
    """
    found = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp, signatures = (
        found.get(name, "") for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
    )
    if not (message_id and timestamp and signatures):
        raise InvalidSignature("a header is missing")
    if not message_id.isascii():
        raise InvalidSignature("the id is not ASCII")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise InvalidSignature("the timestamp is no whole number")
    if abs(now - int(timestamp)) > tolerance:
        raise InvalidSignature("the timestamp is too far from now")
    given = [_octets(item) for item in signatures.split(" ")[:_SIGNATURES_READ]]
    wanted = [
        _octets(item)
        for item in sign(secrets=secrets, message_id=message_id, timestamp=int(timestamp), body=body).split(" ")
    ]
    fits = False
    for expected in wanted:
        for signature in given:
            fits |= bool(signature) and hmac.compare_digest(expected, signature)
    if not fits:
        raise InvalidSignature("no signature fits")
    return message_id


def _octets(versioned: str) -> bytes:
    version, _, text = versioned.partition(",")
    if version != "v1":
        return b""
    try:
        return base64.b64decode(text.encode(), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _key(secret: str) -> bytes:
    if not secret.startswith(PREFIX):
        raise MalformedSecret
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX).encode(), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedSecret from None
    if len(key) not in _SECRET_BYTES:
        raise MalformedSecret
    return key
