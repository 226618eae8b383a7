"""A provider's side of the wire: sign messages and send them to the inbox, as any HTTP client would."""

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from django.test import Client

from ledger.controls import clock
from webhooks import providers, signatures
from webhooks.models import InboundEvent, InboxCount, Provider

OPERATOR = 71
KIND = "transfer.updated"
STANDARD = providers.Terms(
    scheme=Provider.Scheme.STANDARD,
    kind="type",
    subjects=("data.quote_id", "data.transact_id"),
    kinds=("*",),
    transaction="data.reference",
)
HMAC_SECRET = "a shared secret of some length"


def hmac_terms(scheme: Provider.Scheme, *, timestamp_header: str = "") -> providers.Terms:
    return providers.Terms(
        scheme=scheme,
        kind="type",
        subjects=("data.transact_id",),
        kinds=("*",),
        event_id="id",
        signature_header="X-Acme-Signature",
        timestamp_header=timestamp_header,
    )


@dataclass(frozen=True, slots=True)
class Sender:
    """A provider with its secret. `send` signs; `post` sends whatever it is given."""

    code: str
    secret: str

    def post(self, body: bytes, headers: dict[str, str], *, content_type: str = "application/json") -> Any:
        return Client().generic("POST", f"/v1/inbox/{self.code}", body, content_type, headers=headers)

    def send(
        self, event_id: str = "evt_1", *, kind: str = KIND, data: dict[str, object] | None = None, age: int = 0
    ) -> Any:
        body = message(kind, data)
        return self.post(body, self.signed(event_id, body, age=age))

    def signed(self, event_id: str, body: bytes, *, age: int = 0, secret: str = "") -> dict[str, str]:
        timestamp = int(clock.now().timestamp()) - age
        return signatures.headers(secrets=[secret or self.secret], message_id=event_id, timestamp=timestamp, body=body)


def message(kind: str = KIND, data: dict[str, object] | None = None) -> bytes:
    return json.dumps({"type": kind, "data": data or {}}).encode()


def make_sender(code: str = "acme", *, terms: providers.Terms = STANDARD, secret: str = "") -> Sender:
    made = providers.create(
        code=code, environment="test", operator_id=OPERATOR, terms=terms, secret=secret, now=clock.now()
    )
    return Sender(code, made.secret)


def hmac_of(content: bytes, *, secret: str = HMAC_SECRET, base64_text: bool = False) -> str:
    octets = hmac.digest(secret.encode(), content, hashlib.sha256)
    return base64.b64encode(octets).decode() if base64_text else octets.hex()


def stored() -> list[str]:
    """Return the provider event ids of all stored events, oldest first."""
    return list(InboundEvent.objects.order_by("pk").values_list("provider_event_id", flat=True))


def counts() -> dict[str, int]:
    """Return what was counted instead of stored, by reason."""
    return {row.reason: row.count for row in InboxCount.objects.all()}


def event(event_id: str = "evt_1") -> InboundEvent:
    return InboundEvent.objects.get(provider_event_id=event_id)
