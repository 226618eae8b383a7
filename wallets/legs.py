"""One remote movement of an order, return or payout: its key, its content, and the row that writes it down."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger.controls import clock, references
from ledger.money import Money
from wallets import transitions
from wallets.models import RemoteOperation
from wallets.outcomes import Confirmed, Outcome, Rejected

_State = RemoteOperation.State


class OtherContent(RuntimeError):
    """This key was written down with another content: a defect, never an outcome."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One remote movement of an order, return, trade or payout: which, for whom, how much, by which gateway.

    `details` is what else the other side must know (a venue: the terms; a payout: its recipient); it is part of the
    content of the key.
    """

    owner: str
    name: str
    gateway_id: int
    environment: str
    operator_id: int
    amount: Money
    user_reference: str
    partner_order_id: str
    version: int = 1
    details: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.owner}:{self.name}:v{self.version}"


@dataclass(frozen=True, slots=True)
class Performed:
    """What is known after a pass through the door.

    `exhausted`: the automatic lookups have reached their cap. `wait`: how long until the next pass, when unknown.
    """

    outcome: Outcome
    exhausted: bool = False
    wait: timedelta = timedelta(0)


def new_row(leg: Leg) -> RemoteOperation:
    """Return the row that writes a leg down, not yet saved."""
    return RemoteOperation(
        reference=references.new(references.Prefix.REMOTE_OPERATION),
        environment=leg.environment,
        operator_id=leg.operator_id,
        key=leg.key,
        owner=leg.owner,
        leg=leg.name,
        leg_version=leg.version,
        gateway_id=leg.gateway_id,
        asset=leg.amount.asset,
        amount_minor=Decimal(leg.amount.minor),
        request=_request(leg),
        request_digest=_digest(leg),
    )


def written_down(leg: Leg) -> RemoteOperation:
    """Return the leg's row; commit it first when nobody has. Raises OtherContent."""
    operation = RemoteOperation.objects.filter(key=leg.key).first() or _first_written(leg)
    if not is_of(operation, leg):
        raise OtherContent(leg.key)
    return operation


def _first_written(leg: Leg) -> RemoteOperation:
    """Write it down, unless another worker does at this moment: then that row is the leg's."""
    operation = new_row(leg)
    try:
        with db_transaction.atomic():
            transitions.born(operation, now=clock.now())
    except IntegrityError:
        found = RemoteOperation.objects.filter(key=leg.key).first()
        if found is None:
            raise
        return found
    return operation


def is_of(operation: RemoteOperation, leg: Leg) -> bool:
    """Tell whether a row was written down for exactly this content."""
    return bool(operation.request_digest == _digest(leg))


def known(operation: RemoteOperation) -> Outcome | None:
    """Return the outcome that the row has for ever, or None."""
    match operation.state:
        case _State.CONFIRMED:
            return Confirmed(operation.remote_ref, operation.settlement_date)
        case _State.REJECTED:
            return Rejected(operation.rejected_reason)
        case _State.WITHDRAWN:
            return Rejected("withdrawn")
    return None


def _request(leg: Leg) -> dict[str, object]:
    request: dict[str, object] = {"user_reference": leg.user_reference, "partner_order_id": leg.partner_order_id}
    return {**request, "details": dict(leg.details)} if leg.details else request


def _digest(leg: Leg) -> str:
    content = [leg.key, leg.name, leg.gateway_id, leg.amount.asset, leg.amount.minor, _request(leg)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
