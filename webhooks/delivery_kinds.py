"""The kinds of delivery: how a signed message reaches an endpoint. Adapters are named in DELIVERY_KINDS, never imported."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from webhooks.outbound import OutboundResponse


class NoSuchKind(Exception):
    """The setting DELIVERY_KINDS names no adapter of that kind."""


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """What is sent, the same for every kind. `url` is where; `aggregate` is what order is kept within.

    `headers` are the three of Standard Webhooks and what else describes the message; `timeout` is in seconds.
    """

    url: str
    environment: str
    headers: Mapping[str, str]
    body: bytes
    aggregate: str
    timeout: float
    max_response_bytes: int


class DeliveryKind(Protocol):
    def refuse_unless_possible(self, url: str, *, environment: str) -> None:
        """Raise OutboundRefused when nothing can ever be sent there; looks nothing up."""
        ...

    def send(self, message: SignedMessage) -> OutboundResponse:
        """Send once. Raises as `outbound.send` does: OutboundRefused, NotSent, Broken or TimedOut."""
        ...


def adapter(kind: str) -> DeliveryKind:
    """Return the adapter of a kind. Raises NoSuchKind."""
    path = settings.DELIVERY_KINDS.get(kind)
    if path is None:
        raise NoSuchKind(f"DELIVERY_KINDS has no adapter {kind!r}.")
    return _made(path)


@cache
def _made(path: str) -> DeliveryKind:
    """One adapter of each kind serves every thread."""
    return cast(DeliveryKind, import_string(path)())
