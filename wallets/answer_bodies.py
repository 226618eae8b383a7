"""The body of an answer: read as a JSON object that says each thing once, and cut to a safe excerpt for the evidence."""

import json
import re
from collections.abc import Mapping
from typing import Final

from ledger.controls.redaction import redacted
from wallets.gateway_port import EXCERPT_LENGTH

_UNPRINTABLE: Final = re.compile(r"[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
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
    text = _UNPRINTABLE.sub(" ", body[:_LOOKED_AT].decode(errors="replace"))
    return str(redacted(text))[:EXCERPT_LENGTH]
