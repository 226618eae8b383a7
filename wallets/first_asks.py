"""The plain case of the remote door for many at once: first asks that all go well. Whatever is not plain goes singly.

As `wallets.remote_operations` does for one: claimed and committed before anything is sent, with a lease and `ask_until`;
asked with no transaction open, each by itself; the answer stored, and the operation moved by what it proves.

1 `claim`: lock what waits and is free; leave whatever was asked before, has a sibling, is paused or beyond the limit
2 `put`: one question, in a thread of its own
3 `write_down`: the confirmations that came in time, together; every other answer by `evidence.write_down`, singly
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction as db_transaction

from ledger.controls import clock, randomness
from ledger.controls.moves_together import Step, move_together
from wallets import admission, evidence, questions, transitions
from wallets.claiming import LEASE_BEYOND_LIMIT, Claimed, asked, is_timely
from wallets.gateway_adapters import adapter
from wallets.gateway_port import Reply
from wallets.legs import Leg, Performed, is_of
from wallets.models import Gateway, RemoteAttempt, RemoteOperation
from wallets.outcomes import Confirmed

_State = RemoteOperation.State


@dataclass(frozen=True, slots=True)
class FirstAsk:
    """One leg that its owner waits for, the request that it belongs to, and until when it is of use."""

    leg: Leg
    request_id: str
    execute_by: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question."""

    claimed: Claimed
    request_id: str
    reply: Reply
    duration_ms: int


def claim(
    asks: Sequence[FirstAsk], *, most: int, waits: Callable[[], Collection[str]]
) -> list[tuple[Claimed, FirstAsk]]:
    """Claim those that may be asked now, no more than `most`, in one transaction.

    `waits` locks the owners and returns those that still wait.
    """
    if most <= 0:
        return []
    started = clock.monotonic()
    by_key = {ask.leg.key: ask for ask in asks}
    with db_transaction.atomic():
        owners = waits()
        rows = RemoteOperation.objects.select_for_update(skip_locked=True).filter(
            key__in=list(by_key), owner__in=list(owners), state=_State.PREPARED, lease_until__isnull=True, asks=0
        )
        found = list(rows.order_by("pk"))
        pairs = RemoteOperation.objects.filter(owner__in=[row.owner for row in found]).values_list("pk", "owner")
        legs_of: dict[str, int] = {}
        for _, owner in pairs:
            legs_of[owner] = legs_of.get(owner, 0) + 1
        now = clock.now()
        token = randomness.octets(16).hex()
        claimed: list[tuple[Claimed, FirstAsk]] = []
        for gateway in Gateway.objects.filter(pk__in={row.gateway_id for row in found}).order_by("pk"):
            plain = [
                row
                for row in found
                if row.gateway_id == gateway.pk
                and legs_of[row.owner] == 1
                and is_of(row, by_key[row.key].leg)
                and is_timely(gateway, by_key[row.key].execute_by, now)
            ]
            limit = timedelta(milliseconds=gateway.time_limit_ms)
            for row in plain[: min(admission.room(gateway, now=now), most - len(claimed)) if plain else 0]:
                one = Claimed(
                    operation=row,
                    gateway=gateway,
                    wallet=adapter(gateway.adapter),
                    token=token,
                    kind=RemoteAttempt.Kind.ASK,
                    time_left=limit.total_seconds(),
                    started=started,
                )
                claimed.append((one, by_key[row.key]))
        if claimed:
            move_together([_ask(one, ask, token=token, now=now) for one, ask in claimed], now=now)
    return claimed


def put(claimed: Claimed, *, request_id: str) -> Answer:
    """Ask, with no transaction open."""
    reply, duration = questions.put(claimed, request_id=request_id)
    return Answer(claimed, request_id, reply, duration)


def write_down(answers: Sequence[Answer]) -> dict[str, str]:
    """Store confirmations that came within their lease, in one transaction; return each written key's remote reference.

    What is not among them was not written: `write_down_singly` takes it.
    """
    confirmed: dict[int, Answer] = {
        answer.claimed.operation.pk: answer for answer in answers if isinstance(answer.reply.outcome, Confirmed)
    }
    if not confirmed:
        return {}
    with db_transaction.atomic():
        rows = RemoteOperation.objects.select_for_update().filter(pk__in=list(confirmed), state=_State.ASKED)
        held = [row for row in rows.order_by("pk") if row.lease_token == confirmed[row.pk].claimed.token]
        seen = RemoteAttempt.objects.filter(operation_id__in=[row.pk for row in held])
        before = set(seen.values_list("operation_id", flat=True))
        held = [row for row in held if row.pk not in before]
        if not held:
            return {}
        now = clock.now()
        attempts: list[RemoteAttempt] = []
        steps: list[Step] = []
        for row in held:
            answer = confirmed[row.pk]
            attempt, outcome = evidence.first_attempt(
                answer.claimed, answer.reply, answer.request_id, answer.duration_ms, now
            )
            attempts.append(attempt)
            steps.append(transitions.confirmation(row, outcome, request_id=answer.request_id, now=now))
        RemoteAttempt.objects.bulk_create(attempts)
        move_together(steps, now=now)
        for gateway_id in sorted({row.gateway_id for row in held}):
            one = next(confirmed[row.pk] for row in held if row.gateway_id == gateway_id)
            admission.heard(one.claimed.gateway, one.reply, token=one.claimed.token, now=now)
    return {row.key: row.remote_ref for row in held}


def write_down_singly(answer: Answer) -> Performed:
    """Write one answer down, whatever it says."""
    return evidence.write_down(
        answer.claimed, answer.reply, request_id=answer.request_id, duration_ms=answer.duration_ms
    )


def _ask(claimed: Claimed, ask: FirstAsk, *, token: str, now: datetime) -> Step:
    limit = timedelta(milliseconds=claimed.gateway.time_limit_ms)
    leased: Mapping[str, object] = {"lease_token": token, "lease_until": now + limit + LEASE_BEYOND_LIMIT}
    values = {**leased, **asked(claimed.operation, now=now, limit=limit)}
    return transitions.asking(claimed.operation, values=values, request_id=ask.request_id)
