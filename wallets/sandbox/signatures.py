"""Whether a request carries a Standard Webhooks signature of one of our secrets.

The official library makes the expected signature; only the comparison is ours, because the library reads the
process's clock and we are given one.
"""

import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from standardwebhooks import Webhook
from standardwebhooks.webhooks import EmptyWebhookSecretError

from wallets.sandbox.messages import Request

TOLERANCE: Final = timedelta(minutes=5)
_MOST_SIGNATURES: Final = 10


class Signature(StrEnum):
    VERIFIED = "verified"
    REFUSED = "refused"
    """Missing, malformed, too old, too new, or of none of our secrets."""
    UNCHECKED = "unchecked"
    """No secret was registered."""


def usable(secret: str) -> bool:
    """Say whether this text can sign anything."""
    try:
        Webhook(secret)
    except (ValueError, EmptyWebhookSecretError):
        return False
    return True


def check(request: Request, *, secrets: Sequence[str], now: datetime) -> Signature:
    """Check the signature over the raw body against each secret."""
    if not secrets:
        return Signature.UNCHECKED
    headers = request.headers
    message_id, written = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not message_id or not (written.isascii() and written.isdigit() and len(written) <= 12):
        return Signature.REFUSED
    instant = datetime.fromtimestamp(int(written), UTC)
    if abs(now - instant) > TOLERANCE:
        return Signature.REFUSED
    try:
        body = request.body.decode()
    except UnicodeDecodeError:
        return Signature.REFUSED
    given = headers.get("webhook-signature", "").encode().split(b" ")[:_MOST_SIGNATURES]
    for secret in secrets:
        expected = Webhook(secret).sign(message_id, instant, body).encode()
        if any(hmac.compare_digest(expected, one) for one in given):
            return Signature.VERIFIED
    return Signature.REFUSED
