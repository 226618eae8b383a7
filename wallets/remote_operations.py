"""The one door for remote money (DESIGN.md section 5).

1 write down what we are about to ask, and commit
2 if the answer is already known, return it
3 claim it: asked, `ask_until`, and a lease longer than that, committed before sending
4 if this key was ever asked before, look it up instead; do not ask again
5 ask, with no transaction open and never after `ask_until`, which goes along as `Not-After`
6 write the answer down; a late answer of a lost lease is evidence
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never

import structlog
from django.db import connection
from django.db import transaction as db_transaction
from django.db.models import Max

from ledger import assets
from ledger.controls import clock, randomness, references, request_context
from ledger.controls.moves import Birth, Change
from ledger.money import Money
from wallets import transitions
from wallets.gateway_adapters import adapter
from wallets.gateway_port import GatewayConnection, RemoteRequest, Reply, WalletGateway
from wallets.models import Gateway, RemoteAttempt, RemoteOperation
from wallets.outcomes import Cause, Confirmed, Outcome, Rejected, Unknown

log = structlog.get_logger(__name__)

_State = RemoteOperation.State
_LEASE_BEYOND_LIMIT = timedelta(seconds=10)


class InsideTransaction(RuntimeError):
    """A remote question was about to be asked inside a database transaction."""


class OtherContent(RuntimeError):
    """This key was written down with another content: a defect, never an outcome."""


class Unfounded(RuntimeError):
    """A movement was about to be asked that rule R2 or R4 forbids: a defect, and nothing was sent."""


@dataclass(frozen=True, slots=True)
class Leg:
    """One remote movement of an order or return: which, for whom, how much, by which gateway."""

    owner: str
    name: str
    gateway_id: int
    environment: str
    operator_id: int
    amount: Money
    user_reference: str
    partner_order_id: str
    version: int = 1

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


@dataclass(frozen=True, slots=True)
class Standing:
    """What we know of a leg's operation, for those who decide in review."""

    key: str
    state: str
    version: int
    unknown_cause: str
    rejected_reason: str
    remote_ref: str


@dataclass(frozen=True, slots=True)
class _Claimed:
    operation: RemoteOperation
    gateway: Gateway
    wallet: WalletGateway
    token: str
    kind: RemoteAttempt.Kind
    time_left: float
    started: float


def birth(leg: Leg) -> Birth:
    """Return the row that writes a leg down, for the move that decides to ask (step 1, in its transaction)."""
    return Birth(_new(leg))


def perform(
    leg: Leg,
    *,
    waits: Callable[[], bool],
    execute_by: datetime | None = None,
    grounds: Callable[[], bool] | None = None,
) -> Performed:
    """Drive one leg through the door once: ask it, or look it up, or return what is known.

    Opens its own transactions and must be called outside one. `waits` is called first in the transaction of the claim:
    it locks the leg's owner and tells whether its state still waits for this leg (or raises: a freeze). When it does
    not, or when a leg was not asked by `execute_by`, nothing is asked: Unknown(NOT_ASKED). Whoever owns a leg that was
    never asked may then take its `withdrawal`.

    `grounds` tells, in the same transaction and after `waits`, whether what a credit pays for stands (a settled trade):
    this floor cannot see it, and without grounds no credit is ever asked.
    """
    _refuse_transaction()
    operation = _written_down(leg)
    known = _known(operation)
    if known is not None:
        return Performed(known)
    claimed = _claim(operation.pk, waits=waits, execute_by=execute_by, grounds=grounds)
    if isinstance(claimed, Performed):
        return claimed
    return _question(claimed)


def look_up(key: str) -> Outcome:
    """Ask once what became of a key, whoever asked it. Adds evidence; moves no money. Outside any transaction."""
    _refuse_transaction()
    operation = RemoteOperation.objects.get(key=key)
    known = _known(operation)
    if known is not None:
        return known
    if operation.state == _State.PREPARED:
        return Unknown(Cause.NOT_ASKED)
    claimed = _claim(operation.pk, waits=None, execute_by=None)
    if isinstance(claimed, Performed):
        return claimed.outcome
    return _question(claimed).outcome


def withdrawal(leg: Leg, *, now: datetime) -> Change | None:
    """Return the change by which a leg that was never asked is given up; None when it may have been asked.

    In the caller's transaction: locks the operation, so that nobody claims it between decision and commit.
    """
    operation = RemoteOperation.objects.select_for_update().filter(key=leg.key).first()
    if operation is None or operation.state != _State.PREPARED:
        return None
    return transitions.withdrawal(operation, now=now)


def open_keys(*, owner: str) -> list[str]:
    """Return the keys of an owner's legs that were asked and whose fate a lookup may still tell."""
    asked = (_State.ASKED, _State.UNKNOWN, _State.ABSENT)
    found = RemoteOperation.objects.filter(owner=owner, state__in=asked).order_by("pk")
    return list(found.values_list("key", flat=True))


def standing(*, owner: str, leg: str, lock: bool = False) -> Standing | None:
    """Return the newest version of a leg, or None when it was never written down. Lock it for who decides by it."""
    rows = RemoteOperation.objects.select_for_update() if lock else RemoteOperation.objects.all()
    operation = rows.filter(owner=owner, leg=leg).order_by("-leg_version").first()
    if operation is None:
        return None
    return Standing(
        key=operation.key,
        state=operation.state,
        version=operation.leg_version,
        unknown_cause=operation.unknown_cause,
        rejected_reason=operation.rejected_reason,
        remote_ref=operation.remote_ref,
    )


def latest_version(*, owner: str, leg: str) -> int:
    """Return the version of a leg's key in force (1 when it was never written down)."""
    found = RemoteOperation.objects.filter(owner=owner, leg=leg).aggregate(newest=Max("leg_version"))["newest"]
    return int(found or 1)


def grant_ask_again(*, key: str, actor: str) -> None:
    """Let a proven absent key be asked once more, with the same key: a decision of review."""
    granted = RemoteOperation.objects.filter(key=key, state=_State.ABSENT).update(ask_again_granted=actor)
    assert granted == 1, f"{key} is not absent"


def _refuse_transaction() -> None:
    if connection.in_atomic_block:
        raise InsideTransaction


def _new(leg: Leg) -> RemoteOperation:
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


def _request(leg: Leg) -> dict[str, str]:
    return {"user_reference": leg.user_reference, "partner_order_id": leg.partner_order_id}


def _digest(leg: Leg) -> str:
    content = [leg.key, leg.name, leg.gateway_id, leg.amount.asset, leg.amount.minor, _request(leg)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _written_down(leg: Leg) -> RemoteOperation:
    operation = RemoteOperation.objects.filter(key=leg.key).first()
    if operation is None:
        with db_transaction.atomic():
            operation = _new(leg)
            transitions.born(operation, now=clock.now())
    if operation.request_digest != _digest(leg):
        raise OtherContent(leg.key)
    return operation


def _known(operation: RemoteOperation) -> Outcome | None:
    match operation.state:
        case _State.CONFIRMED:
            return Confirmed(operation.remote_ref)
        case _State.REJECTED:
            return Rejected(operation.rejected_reason)
        case _State.WITHDRAWN:
            return Rejected("withdrawn")
    return None


def _claim(
    operation_id: int,
    *,
    waits: Callable[[], bool] | None,
    execute_by: datetime | None,
    grounds: Callable[[], bool] | None = None,
) -> _Claimed | Performed:
    """Lease the operation and decide, under its lock, between asking and looking up. Without `waits` never asks."""
    started = clock.monotonic()
    with db_transaction.atomic():
        still_waits = waits is None or waits()
        founded = grounds is not None and still_waits and grounds()
        operation = RemoteOperation.objects.select_for_update().get(pk=operation_id)
        gateway = Gateway.objects.select_related("operator").get(pk=operation.gateway_id)
        wallet = adapter(gateway.adapter)
        now = clock.now()
        known = _known(operation)
        if known is not None:
            return Performed(known)
        if not still_waits:
            return Performed(Unknown(Cause.NOT_ASKED))
        if operation.lease_until is not None and operation.lease_until > now:
            return Performed(Unknown(Cause.IN_FLIGHT), wait=operation.lease_until - now)
        timely = _timely(gateway, execute_by, now)
        if operation.state == _State.PREPARED and not timely:
            return Performed(Unknown(Cause.NOT_ASKED), wait=_backoff(gateway, 0))
        limit = timedelta(milliseconds=gateway.time_limit_ms)
        token = randomness.octets(16).hex()
        lease = {"lease_token": token, "lease_until": now + limit + _LEASE_BEYOND_LIMIT}
        if waits is not None and timely and _may_be_asked(operation, gateway):
            _refuse_unfounded(operation, founded=founded)
            transitions.ask(operation, values={**lease, **_asked(operation, now=now, limit=limit)}, now=now)
            kind = RemoteAttempt.Kind.ASK
        else:
            RemoteOperation.objects.filter(pk=operation.pk).update(**lease)
            kind = RemoteAttempt.Kind.LOOKUP
    return _Claimed(operation, gateway, wallet, token, kind, limit.total_seconds(), started)


def _timely(gateway: Gateway, execute_by: datetime | None, now: datetime) -> bool:
    """Tell whether the gateway may be asked now: not while it is paused, nor later than `execute_by`."""
    paused = gateway.paused_until is not None and now < gateway.paused_until
    return not paused and (execute_by is None or now <= execute_by)


def _may_be_asked(operation: RemoteOperation, gateway: Gateway) -> bool:
    """Tell whether this key was never asked, or is proven absent and may be asked again: the same key."""
    if operation.state == _State.ABSENT:
        return operation.ask_again_granted != "" or (
            gateway.resubmit and operation.counted_lookups < gateway.requery_cap
        )
    return bool(operation.state == _State.PREPARED)


def _asked(operation: RemoteOperation, *, now: datetime, limit: timedelta) -> dict[str, object]:
    """Return what changes with an ask. Only a decision of people gives the lookups a new count: a limit on the loop."""
    granted = operation.ask_again_granted != ""
    return {
        "asked_at": now,
        "ask_until": now + limit,
        "asks": operation.asks + 1,
        "counted_lookups": 0 if granted else operation.counted_lookups,
        "ask_again_granted": "",
        "unknown_cause": "",
    }


def _refuse_unfounded(operation: RemoteOperation, *, founded: bool) -> None:
    """Hold rules R2 and R4 where the money would go out, whatever the caller believes.

    Only one version of a leg may ever be effective; a reverse gives back a confirmed debit of the same amount; a credit
    pays for something that stands, and never beside a debit of the same owner.
    """
    siblings = RemoteOperation.objects.filter(owner=operation.owner).exclude(pk=operation.pk)
    over = (_State.REJECTED, _State.ABSENT, _State.WITHDRAWN)
    if siblings.filter(leg=operation.leg).exclude(state__in=over).exists():
        raise Unfounded(f"{operation.key}: another version of it may have happened")
    debit = siblings.filter(
        leg="debit", state=_State.CONFIRMED, asset=operation.asset, amount_minor=operation.amount_minor
    )
    if operation.leg == "reverse" and not debit.exists():
        raise Unfounded(f"{operation.key}: no confirmed debit of its amount")
    if operation.leg == "credit" and not founded:
        raise Unfounded(f"{operation.key}: what it pays for does not stand")
    if operation.leg == "credit" and siblings.filter(leg__in=("debit", "reverse")).exists():
        raise Unfounded(f"{operation.key}: its owner has a debit")


def _question(claimed: _Claimed) -> Performed:
    """Ask or look up with no transaction open, then write the answer down."""
    operation = claimed.operation
    gateway = claimed.gateway
    request = RemoteRequest(
        key=operation.key,
        leg=operation.leg,
        asset=operation.asset,
        amount_minor=int(operation.amount_minor),
        amount_text=assets.text(int(operation.amount_minor), operation.asset),
        user_reference=operation.request["user_reference"],
        owner=operation.owner,
        metadata={"partner_order_id": operation.request["partner_order_id"]},
    )
    wallet = claimed.wallet
    where = GatewayConnection(gateway.base_url, gateway.secret, gateway.environment)
    request_id = request_context.request_id() or references.new(references.Prefix.REQUEST)
    remaining = claimed.time_left - (clock.monotonic() - claimed.started)
    began = clock.monotonic()
    if claimed.kind == RemoteAttempt.Kind.LOOKUP:
        reply = wallet.look_up(request, connection=where, request_id=request_id, timeout_seconds=claimed.time_left)
    elif remaining <= 0 or operation.ask_until is None:
        reply = Reply(Unknown(Cause.TIMEOUT), sent=False)  # too late to send: the lookups will tell
    else:
        reply = wallet.ask(
            request, connection=where, request_id=request_id, not_after=operation.ask_until, timeout_seconds=remaining
        )
    duration = int((clock.monotonic() - began) * 1000)
    return _write_down(claimed, reply, request_id=request_id, duration_ms=duration)


def _write_down(claimed: _Claimed, reply: Reply, *, request_id: str, duration_ms: int) -> Performed:
    with db_transaction.atomic():
        operation = RemoteOperation.objects.select_for_update().get(pk=claimed.operation.pk)
        now = clock.now()
        late = operation.lease_token != claimed.token
        number = RemoteAttempt.objects.filter(operation_id=operation.pk).count() + 1
        started_at = now - timedelta(milliseconds=duration_ms)
        outcome = _judged(operation, claimed.gateway, reply, looked_at=started_at)
        RemoteAttempt.objects.create(
            operation_id=operation.pk,
            number=number,
            kind=claimed.kind,
            request_id=request_id,
            started_at=started_at,
            duration_ms=duration_ms,
            http_status=reply.http_status,
            outcome=_word(outcome),
            detail=_detail(outcome),
            late=late,
            excerpt=reply.excerpt,
        )
        _apply(operation, claimed, outcome, evidence={"attempt": number, "request_id": request_id}, late=late, now=now)
        known = _known(operation)
    if late:
        log.warning("late_answer", remote_key=operation.key, outcome=_word(outcome), state=operation.state)
    if known is not None:
        return Performed(known)
    if late:
        return Performed(Unknown(Cause.IN_FLIGHT), wait=_backoff(claimed.gateway, 0))  # somebody else's to tell
    if not isinstance(outcome, Unknown):
        outcome = Unknown(Cause.ABSENT)  # what is proven absent cannot be rejected any more
    gateway = claimed.gateway
    return Performed(
        outcome,
        exhausted=operation.counted_lookups >= gateway.requery_cap,
        wait=_wait(gateway, operation, outcome),
    )


def _judged(operation: RemoteOperation, gateway: Gateway, reply: Reply, *, looked_at: datetime) -> Outcome:
    """Judge absence by the horizon: before it, counted from the last `ask_until`, it proves nothing."""
    if not reply.absent or operation.ask_until is None:
        return reply.outcome
    horizon = operation.ask_until + timedelta(milliseconds=gateway.not_found_horizon_ms)
    return Unknown(Cause.ABSENT if looked_at > horizon else Cause.NOT_FOUND)


def _apply(
    operation: RemoteOperation,
    claimed: _Claimed,
    outcome: Outcome,
    *,
    evidence: dict[str, object],
    late: bool,
    now: datetime,
) -> None:
    """Move the operation by what was learnt. A late answer releases nobody's lease and proves only what is for ever:

    a confirmation; and a rejection while nothing was asked since.
    """
    values: dict[str, object] = {} if late else {"lease_until": None, "lease_token": ""}
    if claimed.kind == RemoteAttempt.Kind.LOOKUP and not late:
        values["lookups"] = operation.lookups + 1
        if _counts(operation, claimed.gateway, outcome, now=now):
            values["counted_lookups"] = operation.counted_lookups + 1
    match outcome:
        case Confirmed(remote_ref):
            if operation.state in (_State.ASKED, _State.UNKNOWN, _State.ABSENT):
                values |= {
                    "remote_ref": remote_ref[:120],
                    "answered_at": now,
                    "unknown_cause": "",
                    "late": late or operation.state == _State.ABSENT,
                }
                transitions.answered(operation, "confirm", values=values, evidence=evidence, now=now)
                return
        case Rejected(reason):
            asked_since = operation.asks != claimed.operation.asks
            if operation.state in (_State.ASKED, _State.UNKNOWN) and not asked_since:
                values |= {"rejected_reason": reason[:120], "answered_at": now, "unknown_cause": ""}
                transitions.answered(operation, "reject", values=values, evidence=evidence, now=now)
                return
        case Unknown(cause):
            if not late:
                values["unknown_cause"] = cause.value
                if operation.state == _State.ASKED:
                    transitions.answered(operation, "lose_sight", values=values, evidence=evidence, now=now)
                if operation.state == _State.UNKNOWN and cause is Cause.ABSENT:
                    transitions.answered(operation, "prove_absent", values=values, evidence=evidence, now=now)
                    return
        case _:
            assert_never(outcome)
    if values:
        RemoteOperation.objects.filter(pk=operation.pk).update(**values)
    for name, value in values.items():
        setattr(operation, name, value)


def _counts(operation: RemoteOperation, gateway: Gateway, outcome: Outcome, *, now: datetime) -> bool:
    """Tell whether a lookup counts towards the cap: not while the other side says it is still working."""
    if not isinstance(outcome, Unknown) or outcome.cause is not Cause.PENDING or operation.asked_at is None:
        return True
    return now > operation.asked_at + timedelta(milliseconds=gateway.pending_horizon_ms)


def _wait(gateway: Gateway, operation: RemoteOperation, outcome: Outcome) -> timedelta:
    if isinstance(outcome, Unknown) and outcome.cause is Cause.PENDING:
        return timedelta(milliseconds=gateway.pending_backoff_ms)
    return _backoff(gateway, operation.counted_lookups)


def _backoff(gateway: Gateway, lookups: int) -> timedelta:
    return timedelta(milliseconds=gateway.requery_backoff_ms * 2 ** min(lookups, 10))


def _word(outcome: Outcome) -> str:
    match outcome:
        case Confirmed():
            return "confirmed"
        case Rejected():
            return "rejected"
        case Unknown():
            return "unknown"
        case _:
            assert_never(outcome)


def _detail(outcome: Outcome) -> str:
    match outcome:
        case Confirmed(remote_ref):
            return remote_ref[:200]
        case Rejected(reason):
            return reason[:200]
        case Unknown(cause):
            return cause.value
        case _:
            assert_never(outcome)
