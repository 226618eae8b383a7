"""Writes an answer down: the attempt is stored for ever, and the operation moves by what it proves (DESIGN 5).

A late answer of a lost lease is evidence: it releases nobody's lease and proves only what is for ever.
"""

from datetime import datetime, timedelta
from typing import assert_never

import structlog
from django.db import transaction as db_transaction

from ledger.controls import clock
from wallets import admission, contradictions, requery, return_window, transitions
from wallets.claiming import Claimed
from wallets.gateway_port import Reply
from wallets.legs import Performed, known
from wallets.models import Gateway, RemoteAttempt, RemoteOperation
from wallets.outcomes import CAUSES_OF_DOUBT, CameBack, Cause, Confirmed, Outcome, Rejected, Unknown

log = structlog.get_logger(__name__)

_State = RemoteOperation.State
_ABOUT_IT = (Cause.ABSENT, *CAUSES_OF_DOUBT)


def write_down(claimed: Claimed, reply: Reply, *, request_id: str, duration_ms: int) -> Performed:
    """Store the attempt, move the operation, give the lease back; return what is known now."""
    gateway = claimed.gateway
    with db_transaction.atomic():
        looked_until = clock.now()  # before the wait for the row: it must not make an absence look later than it was
        operation = RemoteOperation.objects.select_for_update().get(pk=claimed.operation.pk)
        now = clock.now()
        late = operation.lease_token != claimed.token
        again = operation.state == _State.CONFIRMED and claimed.operation.state == _State.CONFIRMED
        number = RemoteAttempt.objects.filter(operation_id=operation.pk).count() + 1
        started_at = looked_until - timedelta(milliseconds=duration_ms)
        outcome = _judged(operation, gateway, reply, looked_at=started_at)
        attempt = _attempt(claimed, reply, outcome, number=number, started_at=started_at, late=late)
        attempt.request_id, attempt.duration_ms = request_id, duration_ms
        attempt.save(force_insert=True)
        _apply(operation, claimed, outcome, evidence={"attempt": number, "request_id": request_id}, late=late, now=now)
        admission.heard(gateway, reply, token=claimed.token, now=now)
        found = known(operation)
    if late:
        log.warning("late_answer", remote_key=operation.key, outcome=_word(outcome), state=operation.state)
    if again:
        return Performed(outcome)
    if found is not None:
        return Performed(found)
    if late:
        return Performed(Unknown(Cause.IN_FLIGHT), wait=requery.backoff(gateway, 0))  # somebody else's to tell
    if not isinstance(outcome, Unknown):
        outcome = Unknown(Cause.ABSENT)  # what is proven absent cannot be rejected any more
    return Performed(
        outcome,
        exhausted=operation.counted_lookups >= gateway.requery_cap,
        wait=requery.wait(gateway, operation, outcome),
    )


def first_attempt(
    claimed: Claimed, reply: Reply, request_id: str, duration_ms: int, now: datetime
) -> tuple[RemoteAttempt, Confirmed]:
    """Return the row, not yet saved, of a first ask that was confirmed within its lease, and what it says."""
    outcome = reply.outcome
    assert isinstance(outcome, Confirmed)
    started_at = now - timedelta(milliseconds=duration_ms)
    attempt = _attempt(claimed, reply, outcome, number=1, started_at=started_at, late=False)
    attempt.request_id, attempt.duration_ms = request_id, duration_ms
    return attempt, outcome


def _attempt(
    claimed: Claimed, reply: Reply, outcome: Outcome, *, number: int, started_at: datetime, late: bool
) -> RemoteAttempt:
    return RemoteAttempt(
        operation_id=claimed.operation.pk,
        number=number,
        kind=claimed.kind,
        started_at=started_at,
        http_status=reply.http_status,
        outcome=_word(outcome),
        detail=_detail(outcome),
        late=late,
        question=reply.question,
        excerpt=reply.excerpt,
    )


def _judged(operation: RemoteOperation, gateway: Gateway, reply: Reply, *, looked_at: datetime) -> Outcome:
    """Judge absence by the horizon: before it, counted from the last `ask_until`, it proves nothing.

    A question that our own guard refused to send is no answer either: of what was claimed before, nobody knows.
    """
    if isinstance(reply.outcome, Unknown) and reply.outcome.cause is Cause.NOT_ASKED:
        return Unknown(Cause.CONNECTION)
    if not reply.absent or operation.ask_until is None:
        return reply.outcome
    horizon = operation.ask_until + timedelta(milliseconds=gateway.not_found_horizon_ms)
    return Unknown(Cause.ABSENT if looked_at > horizon else Cause.NOT_FOUND)


def _apply(
    operation: RemoteOperation,
    claimed: Claimed,
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
    if operation.state == _State.CONFIRMED and not isinstance(outcome, Unknown):
        values["read_at"] = now
    if claimed.kind == RemoteAttempt.Kind.LOOKUP and not late:
        values["lookups"] = operation.lookups + 1
        if requery.counts(claimed.gateway, operation, outcome, now=now):
            values["counted_lookups"] = operation.counted_lookups + 1
    match outcome:
        case Confirmed():
            if operation.state in (_State.ASKED, _State.UNKNOWN, _State.ABSENT):
                values |= return_window.first_read(operation, outcome, now=now)
                came_late = late or operation.state == _State.ABSENT
                values |= transitions.confirmed_values(outcome, late=came_late, now=now)
                transitions.answered(operation, "confirm", values=values, evidence=evidence, now=now)
                return
            if operation.state == _State.REJECTED:
                contradictions.told(operation, attempt=int(str(evidence["attempt"])), now=now)
        case Rejected(reason):
            asked_since = operation.asks != claimed.operation.asks
            if operation.state in (_State.ASKED, _State.UNKNOWN) and not asked_since:
                values |= {"rejected_reason": reason[:120], "answered_at": now, "unknown_cause": ""}
                transitions.answered(operation, "reject", values=values, evidence=evidence, now=now)
                return
            if operation.state == _State.ABSENT and not asked_since:
                values["unknown_cause"] = Cause.ABSENT.value  # it stays absent, and is doubted no more
        case Unknown(cause):
            if not late and operation.state not in (_State.CONFIRMED, _State.REJECTED):
                if operation.state != _State.ABSENT or cause in _ABOUT_IT:
                    values["unknown_cause"] = cause.value  # what says nothing takes no doubt of an absence away
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
        case Confirmed(remote_ref, _, CameBack(minor)):
            return f"{remote_ref}, {minor} came back"[:200]
        case Confirmed(remote_ref):
            return remote_ref[:200]
        case Rejected(reason):
            return reason[:200]
        case Unknown(cause):
            return cause.value
        case _:
            assert_never(outcome)
