"""The rows that the wallet and the receiver keep, and the events that the wallet sends."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Operation:
    """One movement of money as the operator's side believes it. `amount` is text in major units."""

    key: str
    operation: str
    reference: str
    user_reference: str
    asset: str
    amount: str
    digest: str
    status: str
    code: str
    remote_ref: str
    asked_at: int
    applied_at: int | None = None
    pending_until: int | None = None
    then_status: str | None = None


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One question about money. `did` says what became of it, `status` what was answered (None: nothing)."""

    received_at: int
    method: str
    path: str
    key: str
    request_id: str
    not_after: str
    signature: str
    body: str
    did: str
    fault: str
    status: int | None


@dataclass(frozen=True, slots=True)
class News:
    """One `operation.updated` event that waits to be sent. `event_id` is the webhook-id."""

    id: int
    event_id: str
    key: str
    status: str
    tries: int


@dataclass(frozen=True, slots=True)
class LoggedWebhook:
    """One delivery that arrived. `signature` is verified, refused or unchecked."""

    received_at: int
    name: str
    webhook_id: str
    timestamp: str
    signature: str
    request_id: str
    body: str
    status: int | None
