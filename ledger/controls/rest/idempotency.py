"""One `Idempotency-Key`, one effect, one answer (rule I1; DESIGN.md section 11).

1 the key is taken first in the effect's transaction; one that is being carried out elsewhere is waited for, 2 s
2 the same key with the same request: the first answer again, byte for byte; with another request: 409
3 the effect stands behind a savepoint; a refusal of the domain rolls back to it and is an answer like any other
4 the answer's bytes are kept with the key, and both commit with the effect
5 malformed, unauthenticated, forbidden, not found, too large, throttled and our own defects roll all back: the key
  stays free
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from django.db import transaction as db_transaction
from django.http import HttpRequest, HttpResponse

from ledger.controls import claims, clock
from ledger.controls.refusals import Refusal
from ledger.controls.rest import notes, problems
from ledger.controls.rest.caller import Caller

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"

_EFFECT: Final = "effect"
"""The savepoint that stands before the work: a message of its own less, since it comes with the claim."""

_NEVER_KEPT = frozenset({400, 401, 403, 404, 405, 406, 411, 413, 415, 429})

Asked = TypeVar("Asked")
Work = Callable[[datetime], HttpResponse]
"""The effect: one domain call in the transaction that is open, at the instant given, and its answer."""


class KeyRule(StrEnum):
    """Whether a route's method takes an `Idempotency-Key`."""

    REQUIRED = "required"
    FOR_CHANGES = "for changes"
    """Required, unless the request asks for something that changes nothing: a price, a dry run."""
    OPTIONAL = "optional"
    """Safe to repeat by itself; with a key, the first answer is kept."""


def answer_once(
    *, request: HttpRequest, caller: Caller, route: str, rule: KeyRule, work: Work, note: notes.Note
) -> HttpResponse:
    """Carry the work out once for its key and answer; see the module. Raises what rolls all back."""
    given = request.META.get("HTTP_IDEMPOTENCY_KEY", "")
    if not given and rule is KeyRule.OPTIONAL:
        return answer_without_key(work)
    key = claims.checked_key(given)
    note.idempotency_key = key
    digest = claims.digest(method=request.method or "", path=request.get_full_path(), body=request.body)
    try:
        with db_transaction.atomic():
            claim = claims.take(
                operator_id=caller.operator_id,
                environment=caller.environment,
                key=key,
                digest=digest,
                route=route,
                savepoint=_EFFECT,
            )
            if isinstance(claim, claims.Answered):
                note.key_use = notes.KeyUse.REPLAY
                return _again(claim.answer)
            response = _carried_out(work, claim.now)
            claims.answer(claim, _kept(response), now=claim.now, last=True)
    except (claims.IdempotencyConflict, claims.InProgress):
        note.key_use = notes.KeyUse.CONFLICT
        raise
    note.key_use = notes.KeyUse.FIRST
    return response


def answer_in_two(
    *,
    request: HttpRequest,
    caller: Caller,
    route: str,
    note: notes.Note,
    begin: Callable[[datetime], str],
    question: Callable[[str], Asked],
    finish: Callable[[str, Asked, datetime], HttpResponse],
    refused: Callable[[str, Refusal, datetime], None],
) -> HttpResponse:
    """Carry out work with a question to the outside in its middle, once for its key.

    1 claim and anchor (`begin` returns its reference) commit · 2 the question is asked with no transaction open; when it
    raises, or the process dies, a replay goes on from the anchor · 3 effect and answer commit. Two that go on at once
    both ask, and one answers. A kept refusal of step 3 rolls back its effect; `refused` then ends what was begun.
    """
    key = claims.checked_key(request.META.get("HTTP_IDEMPOTENCY_KEY", ""))
    note.idempotency_key = key
    digest = claims.digest(method=request.method or "", path=request.get_full_path(), body=request.body)
    try:
        with db_transaction.atomic():
            claim = claims.take_up(
                operator_id=caller.operator_id, environment=caller.environment, key=key, digest=digest, route=route
            )
            if isinstance(claim, claims.Answered):
                note.key_use = notes.KeyUse.REPLAY
                return _again(claim.answer)
            if isinstance(claim, claims.Taken):
                begun = _begun(begin, claim.now)
                if isinstance(begun, HttpResponse):
                    claims.answer(claim, _kept(begun), now=claim.now, last=True)
                    note.key_use = notes.KeyUse.FIRST
                    return begun
                claims.anchor(claim, begun)
                claim = claims.Anchored(claim.claim_id, begun)
    except (claims.IdempotencyConflict, claims.InProgress):
        note.key_use = notes.KeyUse.CONFLICT
        raise
    told = question(claim.anchor)
    with db_transaction.atomic():
        mine = claims.lock(claim.claim_id)
        if isinstance(mine, claims.Answered):
            note.key_use = notes.KeyUse.REPLAY
            return _again(mine.answer)
        now = mine.now
        try:
            with db_transaction.atomic():
                response = finish(claim.anchor, told, now)
        except Refusal as refusal:
            if not is_kept(refusal):
                raise
            refused(claim.anchor, refusal, now)
            response = problems.of_refusal(refusal)
        claims.answer(mine, _kept(response), now=now, last=True)
    note.key_use = notes.KeyUse.FIRST
    return response


def _begun(begin: Callable[[datetime], str], now: datetime) -> str | HttpResponse:
    try:
        with db_transaction.atomic():
            return begin(now)
    except Refusal as refusal:
        if not is_kept(refusal):
            raise
        return problems.of_refusal(refusal)


def answer_without_key(work: Work) -> HttpResponse:
    """Carry the work out in a transaction of its own, without a claim."""
    with db_transaction.atomic():
        return work(clock.now())


def try_out(work: Work) -> HttpResponse:
    """Answer as the work would, and roll it back: the dry run."""
    with db_transaction.atomic():
        response = work(clock.now())
        db_transaction.set_rollback(True)
    return response


def is_kept(refusal: Refusal) -> bool:
    """Tell whether a refusal is an answer that its key keeps."""
    return refusal.kept and refusal.status not in _NEVER_KEPT and refusal.status < 500


def _carried_out(work: Work, now: datetime) -> HttpResponse:
    try:
        with _taken_back_when_refused():
            return work(now)
    except Refusal as refusal:
        if not is_kept(refusal):
            raise
        return problems.of_refusal(refusal)


@contextmanager
def _taken_back_when_refused() -> Iterator[None]:
    """A refusal rolls back to the savepoint that came with the claim. Else it ends with the transaction: nothing releases it.

    Any other error rolls the whole transaction back.
    """
    connection = db_transaction.get_connection()
    connection.savepoint_ids.append(_EFFECT)  # what was to follow the commit goes with it, as in Django's own blocks
    try:
        yield
    except Refusal:
        connection.savepoint_rollback(_EFFECT)
        connection.needs_rollback = False
        raise
    finally:
        connection.savepoint_ids.remove(_EFFECT)


def _kept(response: HttpResponse) -> claims.Answer:
    return claims.Answer(status=response.status_code, body=response.content, headers=dict(response.items()))


def _again(answer: claims.Answer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, headers={**answer.headers, REPLAYED: "true"})
