"""How the venue is told to behave: POST /admin/…"""

import json
from collections.abc import Mapping
from typing import Final

from orders.sandbox.faults import WORDS
from orders.sandbox.store import Store
from orders.sandbox.venue import Venue
from wallets.sandbox import signatures
from wallets.sandbox.faults import SIGHTS
from wallets.sandbox.messages import Answer, Request, answered, refused

_FAULTS: Final = {"ask": WORDS, "lookup": tuple(SIGHTS), "quote": ("error", "silence", "refused")}
_MOST_TIMES: Final = 1_000_000
_MOST_SECONDS: Final = 10_000_000


class NotUnderstood(Exception):
    """The instruction does not have its shape."""


class Instructions:
    """Registers secrets and inboxes, plans faults, brings time forward, takes trades back, and forgets what it was told."""

    def __init__(self, store: Store, venue: Venue) -> None:
        self._store = store
        self._venue = venue

    def follow(self, name: str, request: Request) -> Answer:
        """Answer POST /admin/{name}."""
        try:
            content = _content(request.body)
            match name:
                case "secret":
                    with self._store.transaction():
                        self._store.add_secret(_secret(content), only=content.get("only") is True)
                case "inbox":
                    url = _text(content, "url")
                    if not url.startswith("http://"):
                        raise NotUnderstood("url begins with http://")
                    with self._store.transaction():
                        self._store.set_inbox(_text(content, "pool"), url, _secret(content))
                case "faults":
                    self._fault(content)
                case "advance":
                    with self._store.transaction():
                        self._store.advance(_whole(content, "seconds", most=_MOST_SECONDS) * 1_000_000)
                case "return":
                    if not self._venue.take_back(_text(content, "transact_id")):
                        raise NotUnderstood("Only a settled trade is taken back.")
                case "reset":
                    with self._store.transaction():
                        self._store.reset()
                case _:
                    return refused(404, "no_such_page", "There is no such instruction.")
        except NotUnderstood as problem:
            return refused(400, "malformed", str(problem))
        return answered(200, {"done": name})

    def _fault(self, content: Mapping[str, object]) -> None:
        """Plan a fault for keys (a quote: pools) with a prefix, so many times or always."""
        question, fault = _text(content, "question"), _text(content, "fault")
        if fault not in _FAULTS.get(question, ()):
            known = "; ".join(f"{name}: {', '.join(words)}" for name, words in _FAULTS.items())
            raise NotUnderstood(f"question and fault are one of {known}")
        prefix = content.get("prefix", "")
        if not isinstance(prefix, str):
            raise NotUnderstood("prefix is a text.")
        times = None if content.get("times") is None else _whole(content, "times", most=_MOST_TIMES)
        with self._store.transaction():
            self._store.add_plan(question, prefix, fault, times)


def _content(body: bytes) -> Mapping[str, object]:
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise NotUnderstood("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise NotUnderstood("The body is not a JSON object.")
    return content


def _secret(content: Mapping[str, object]) -> str:
    secret = _text(content, "secret")
    if not signatures.usable(secret):
        raise NotUnderstood("secret is whsec_ and base64.")
    return secret


def _text(content: Mapping[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise NotUnderstood(f"{name} is a text.")
    return value


def _whole(content: Mapping[str, object], name: str, *, most: int) -> int:
    value = content.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise NotUnderstood(f"{name} is a whole number from 1 to {most}.")
    return value
