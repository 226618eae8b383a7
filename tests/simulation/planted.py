"""Faults of the product that worlds must find: each is planted in memory, for the body of a `with` block.

`by` is the seed that found it when it was written down: it is tried first, then those from 1 on.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final
from unittest.mock import patch

from django.db.models import QuerySet

from ledger.controls import approvals, claims, clock
from ledger.controls.events import Announcement
from ledger.models import Approval, Event
from orders import transitions
from orders.models import Order
from orders.sagas import buy, runner, wallet_legs
from orders.sagas.progress import Progress, Wait
from orders.venues import curve
from tests.simulation.planted_fault import Fault
from tests.simulation.planted_in_batches import OF_BATCHES
from tests.simulation.planted_in_payments import OF_PAYMENTS
from tests.simulation.planted_in_venues import OF_VENUES
from tests.simulation.receiver import Receiver
from wallets import claiming, evidence, remote_operations
from wallets.claiming import Claimed
from wallets.gateway_port import Reply
from wallets.inbox_provider import KIND
from wallets.models import Gateway, RemoteOperation
from wallets.outcomes import Cause, Outcome, Rejected, Unknown
from wallets.remote_operations import Leg, Performed
from webhooks import outbound, routing, signatures
from webhooks.outbound import OutboundRequest
from webhooks.routing import Applied, InboundMessage, Judgement


@contextmanager
def _dropped_lock() -> Iterator[None]:
    """Orders are read, not locked: what was decided on may have changed."""
    original = QuerySet.select_for_update

    def unlocked(self: Any, *arguments: Any, **named: Any) -> Any:
        return self if self.model is Order else original(self, *arguments, **named)

    with patch.object(QuerySet, "select_for_update", unlocked):
        yield


@contextmanager
def _new_key_on_retry() -> Iterator[None]:
    """A debit that was asked already is asked under the next version, and the door lets it pass."""

    def next_version(order: Order) -> Leg:
        asked = RemoteOperation.objects.filter(owner=order.reference, leg="debit").exclude(state="prepared").count()
        return wallet_legs.leg(order, "debit", version=1 + asked)

    with patch.object(buy, "debit_leg", next_version), _door_without_guard():
        yield


@contextmanager
def _judged_as(cause: Cause) -> Iterator[None]:
    """What is not known is taken for a refusal."""
    original = evidence._judged

    def hasty(operation: RemoteOperation, gateway: Gateway, reply: Reply, *, looked_at: datetime) -> Outcome:
        outcome = original(operation, gateway, reply, looked_at=looked_at)
        taken = isinstance(outcome, Unknown) and outcome.cause is cause
        return Rejected(cause.value) if taken else outcome

    with patch.object(evidence, "_judged", hasty):
        yield


@contextmanager
def _published_before_commit() -> Iterator[None]:
    """The operator is told inside the transaction that may still roll back."""
    original = transitions.move  # type: ignore[attr-defined]  # where the flows find it

    def eager(*changes: Any, **named: Any) -> Any:
        results = original(*changes, **named)
        subjects = [change.subject.reference for change in changes]
        receiver: Receiver = outbound._transport.get()._receiver  # type: ignore[attr-defined]  # the world's
        for event in Event.objects.filter(aggregate__in=subjects, topic__startswith="order.").order_by("-pk")[:1]:
            body = json.dumps({"type": event.topic, "data": event.payload}).encode()
            at = int(clock.now().timestamp())
            sent = signatures.headers(secrets=[receiver.secret], message_id=event.reference, timestamp=at, body=body)
            receiver._take(OutboundRequest("POST", "", "test", headers=sent, body=body))
        return results

    with patch.object(transitions, "move", eager):
        yield


@contextmanager
def _forgotten_event() -> Iterator[None]:
    """An order that fails tells nobody."""
    original = Order.announcement

    def silent(self: Order) -> Announcement | None:
        return None if self.state == Order.State.FAILED else original(self)

    with patch.object(Order, "announcement", silent):
        yield


@contextmanager
def _backward_webhook_accepted() -> Iterator[None]:
    """What the wallet says is written down as it stands, forward or backward."""

    def gullible(message: InboundMessage) -> Judgement:
        said = message.content["data"]["status"]  # type: ignore[index]  # its handler has read it
        found = RemoteOperation.objects.filter(key=message.subjects[0])
        found.update(state="unknown" if said == "pending" else said)
        return Applied(f"it says {said}")

    with patch.dict(routing._handlers, {KIND: gullible}):
        yield


@contextmanager
def _double_compensation() -> Iterator[None]:
    """A debit is given back under two keys, one after the other, and the door lets it pass."""
    original = buy._STEPS[Order.State.COMPENSATION_PENDING]

    def twice(order: Order) -> Progress:
        for version in (1, 2):
            leg = buy.reverse_leg(order, version=version)
            remote_operations.perform(leg, waits=buy.still(order, Order.State.COMPENSATION_PENDING))
        return original(order)

    with patch.dict(buy._STEPS, {Order.State.COMPENSATION_PENDING: twice}), _door_without_guard():
        yield


@contextmanager
def _ignored_lease() -> Iterator[None]:
    """A worker takes a saga though another holds it."""
    condition = "AND (s.lease_until IS NULL OR s.lease_until < coalesce(%(now)s, clock_timestamp()))"
    assert condition in runner._CLAIM
    with patch.object(runner, "_CLAIM", runner._CLAIM.replace(condition, "")):
        yield


@contextmanager
def _self_approval() -> Iterator[None]:
    """Who proposed may approve."""

    def lenient(approval: Approval, *, checker: str, reason: str, subject_version: int, now: datetime) -> None:
        approvals._decide(approval, Approval.Decision.APPROVED, checker=checker, reason=reason, now=now)

    with patch.object(approvals, "approve", lenient):
        yield


@contextmanager
def _rounding_by_float() -> Iterator[None]:
    """The pool's price is computed in floating point."""

    def floating(*, taken_in: int, reserves: curve.Reserves) -> int:
        if taken_in <= 0 or reserves.given <= 0 or reserves.taken <= 0:
            return 0
        return int(reserves.given * (taken_in / (reserves.taken + taken_in)))

    with patch.object(curve, "output", floating):
        yield


@contextmanager
def _settled_before_its_debit() -> Iterator[None]:
    """A debit that is not known yet is taken for confirmed."""
    original = buy._STEPS[Order.State.OPERATOR_DEBIT_PENDING]

    def hopeful(order: Order) -> Progress:
        progress = original(order)
        return buy._debit_confirmed(order, "surely") if isinstance(progress, Wait) else progress

    with patch.dict(buy._STEPS, {Order.State.OPERATOR_DEBIT_PENDING: hopeful}):
        yield


@contextmanager
def _sleeps_between_claim_and_send() -> Iterator[None]:
    """A worker counts its time, and `Not-After`, from when it sends, not from when it claimed."""
    original = remote_operations._question

    def careless(claimed: Claimed) -> Performed:
        claimed.operation.ask_until = clock.now() + timedelta(seconds=claimed.time_left)
        return original(replace(claimed, started=clock.monotonic()))

    with patch.object(remote_operations, "_question", careless):
        yield


@contextmanager
def _one_answer_for_every_request() -> Iterator[None]:
    """A key is answered as before, whatever is asked with it."""
    with patch.object(claims, "digest", lambda **_: "0" * 64):
        yield


def _door_without_guard() -> Any:
    return patch.object(claiming, "_refuse_unfounded", lambda operation, *, founded: None)


FAULTS: Final = (
    *OF_BATCHES,
    *OF_PAYMENTS,
    *OF_VENUES,
    Fault("a dropped lock", _dropped_lock, frozenset({"defect", "book and wallet", "R2"}), 11),
    Fault("a new key on retry", _new_key_on_retry, frozenset({"R4", "R2"}), 1),
    Fault("a timeout taken for failed", lambda: _judged_as(Cause.TIMEOUT), frozenset({"R3"}), 5),
    Fault("not-found taken for rejected", lambda: _judged_as(Cause.NOT_FOUND), frozenset({"R3"}), 6),
    Fault("publishing before commit", _published_before_commit, frozenset({"an event"}), 1),
    Fault("a forgotten event", _forgotten_event, frozenset({"S2"}), 1),
    Fault("a backward webhook accepted", _backward_webhook_accepted, frozenset({"S1", "defect"}), 19),
    Fault("a double compensation", _double_compensation, frozenset({"R4", "R2"}), 2, turns=400),
    Fault("an ignored lease", _ignored_lease, frozenset({"a lease"}), 1),
    Fault("self-approval", _self_approval, frozenset({"H1", "defect"}), 2, turns=400),
    Fault("rounding by float", _rounding_by_float, frozenset({"the pool"}), 2),
    Fault("a trade settled before its debit", _settled_before_its_debit, frozenset({"R1"}), 1),
    Fault("a worker that sleeps between claim and send", _sleeps_between_claim_and_send, frozenset({"R2"}), 1),
    Fault("one answer for every request", _one_answer_for_every_request, frozenset({"I1"}), 27),
)
