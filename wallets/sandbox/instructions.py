"""How the sandbox is told to behave: POST /admin/…"""

import json
from typing import Final

from wallets.sandbox import receiver, signatures
from wallets.sandbox.bank import BANK_PURPOSE
from wallets.sandbox.faults import COURSES, SIGHTS
from wallets.sandbox.messages import Answer, Request, answered, refused
from wallets.sandbox.payments import Payments
from wallets.sandbox.store import Store
from wallets.sandbox.wallet import WALLET_PURPOSE

_FAULTS: Final = {"ask": tuple(COURSES), "lookup": tuple(SIGHTS), "webhook": receiver.ENDINGS}
_MOST_TIMES: Final = 1_000_000
_MOST_SECONDS: Final = 10_000_000


class NotUnderstood(Exception):
    """The instruction does not have its shape."""


class Instructions:
    """Registers secrets, plans faults, brings time forward, and forgets what it was told."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def follow(self, name: str, request: Request) -> Answer:
        """Answer POST /admin/{name}."""
        try:
            content = _content(request.body)
            match name:
                case "wallet-secret":
                    self._secret(WALLET_PURPOSE, content)
                case "webhook-secret":
                    self._secret(receiver.webhook_purpose(_text(content, "name")), content)
                case "inbox":
                    with self._store.transaction():
                        self._store.set_inbox(*_place(content))
                case "bank-secret":
                    self._secret(BANK_PURPOSE, content)
                case "bank-inbox":
                    with self._store.transaction():
                        Payments(self._store).set_inbox(*_place(content))
                case "faults":
                    self._fault(content)
                case "advance":
                    seconds = _whole(content, "seconds", most=_MOST_SECONDS)
                    with self._store.transaction():
                        self._store.advance(seconds * 1_000_000)
                case "reset":
                    with self._store.transaction():
                        self._store.reset()
                case _:
                    return refused(404, "no_such_page", "There is no such instruction.")
        except NotUnderstood as problem:
            return refused(400, "malformed", str(problem))
        return answered(200, {"done": name})

    def _secret(self, purpose: str, content: dict[str, object]) -> None:
        """Add a secret to those that verify; with `"only": true` it replaces them."""
        secret = _text(content, "secret")
        if not signatures.usable(secret):
            raise NotUnderstood("secret is whsec_ and base64.")
        with self._store.transaction():
            if content.get("only") is True:
                self._store.forget_secrets(purpose)
            self._store.add_secret(purpose, secret)

    def _fault(self, content: dict[str, object]) -> None:
        """Plan a fault for keys (a webhook: names) with a prefix, so many times or always."""
        question = _text(content, "question")
        fault = _text(content, "fault")
        if fault not in _FAULTS.get(question, ()):
            known = "; ".join(f"{name}: {', '.join(words)}" for name, words in _FAULTS.items())
            raise NotUnderstood(f"question and fault are one of {known}")
        prefix = content.get("prefix", "")
        if not isinstance(prefix, str):
            raise NotUnderstood("prefix is a text.")
        times = None if content.get("times") is None else _whole(content, "times", most=_MOST_TIMES)
        with self._store.transaction():
            self._store.add_plan(question, prefix, fault, times)


def _content(body: bytes) -> dict[str, object]:
    try:
        content = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise NotUnderstood("The body is not JSON.") from None
    if not isinstance(content, dict):
        raise NotUnderstood("The body is not a JSON object.")
    return content


def _place(content: dict[str, object]) -> tuple[str, str]:
    """Read where events go, and what signs them."""
    url, secret = _text(content, "url"), _text(content, "secret")
    if not url.startswith("http://") or not signatures.usable(secret):
        raise NotUnderstood("url begins with http://, secret is whsec_ and base64.")
    return url, secret


def _text(content: dict[str, object], name: str) -> str:
    value = content.get(name)
    if not isinstance(value, str) or not value:
        raise NotUnderstood(f"{name} is a text.")
    return value


def _whole(content: dict[str, object], name: str, *, most: int) -> int:
    value = content.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= most:
        raise NotUnderstood(f"{name} is a whole number from 1 to {most}.")
    return value
