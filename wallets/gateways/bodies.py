"""The body of an answer: read as a JSON object that says each thing once, and cut to a safe excerpt for the evidence."""

import json
import re
from collections.abc import Mapping
from typing import Final

from wallets.gateway_port import EXCERPT_LENGTH

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
_SECRETS: Final = re.compile(
    r"whsec_[A-Za-z0-9+/=_-]+|\bhf_(?:live|test)_\w+|\b(?:Bearer|Basic)\s+[\w.~+/=-]+|\bv1a?,[A-Za-z0-9+/=_-]{16,}",
    re.IGNORECASE,
)
# Longer than an excerpt, so that a secret at its end is seen whole.
_LOOKED_AT: Final = 4 * EXCERPT_LENGTH


class Unreadable(Exception):
    """The body is no JSON object that says each thing once."""


def content_of(body: bytes) -> Mapping[str, object]:
    """Read a JSON object. Raises Unreadable, also for a name that is said twice."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        content = dict(pairs)
        if len(content) != len(pairs):
            raise Unreadable
        return content

    try:
        content = json.loads(body.decode(), object_pairs_hook=once)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(content, dict):
        raise Unreadable
    return content


def excerpt(body: bytes) -> str:
    """Return the beginning of an answer as one printable line, without what looks like a secret."""
    text = body[:_LOOKED_AT].decode(errors="replace")
    text = _UNPRINTABLE.sub(" ", text)
    return _SECRETS.sub("[redacted]", text)[:EXCERPT_LENGTH]
