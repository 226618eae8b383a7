"""Claims: one `Idempotency-Key` is one effect and one answer (rule I1).

The claim is inserted first in the effect's transaction, and read by a second statement: under READ COMMITTED one
statement would return nothing to the loser.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.utils import OperationalError

from ledger.controls import clock, prepared, request_context
from ledger.controls.kept_answers import as_given, to_keep
from ledger.controls.refusals import Refusal
from ledger.models import Claim

_KEY = re.compile(r"[A-Za-z0-9._:-]{1,255}", re.ASCII)

# The function ends before the clock is read: the columns of a row are calculated from left to right.
_TAKE: Final = """
SELECT take_claim(%s, %s, %s, %s, %s, %s, %s::timestamptz), coalesce(%s::timestamptz, clock_timestamp())
"""
# A claim that has its answer already is a division by zero: the COMMIT that goes with the statement is not carried out.
_ANSWER: Final = """
WITH kept AS (
    UPDATE ledger_claim SET answer_status = %s, answer_body = %s, answer_headers = %s::jsonb, answered_at = %s
    WHERE id = %s::bigint AND answered_at IS NULL RETURNING id
)
SELECT 1 / count(*) FROM kept
"""


class MissingKey(Refusal):
    """This request changes something: it needs an Idempotency-Key header."""

    code = "idempotency_key_missing"
    status = 400
    kept = False


class MalformedKey(Refusal):
    """An Idempotency-Key is 1 to 255 of the characters A-Z a-z 0-9 . _ : -"""

    code = "idempotency_key_malformed"
    status = 400
    kept = False


class IdempotencyConflict(Refusal):
    """This Idempotency-Key was used for another request."""

    code = "idempotency_conflict"
    status = 409
    kept = False


class InProgress(Refusal):
    """A request with this Idempotency-Key is being carried out; ask again shortly."""

    code = "in_progress"
    status = 409
    kept = False
    retry_after = 1


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> Any:
        """Return the answer's body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Kept:
    """A claim as it stands: `answer` is None while its work goes on."""

    claimed_at: datetime
    answered_at: datetime | None
    answer: Answer | None


@dataclass(frozen=True, slots=True)
class Taken:
    """The claim is ours: do the work as of `now`, then `answer`."""

    claim_id: int
    now: datetime
    """Read after the claim was taken: one that was waited for has told its time before."""


@dataclass(frozen=True, slots=True)
class Anchored:
    """The work was begun before and its answer is still out: go on from the anchor."""

    claim_id: int
    anchor: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The work was done before: give this answer again, byte for byte."""

    answer: Answer


def digest(*, method: str, path: str, body: bytes) -> str:
    """Return the SHA-256 of method, path with query, and body."""
    return hashlib.sha256(method.encode() + b"\n" + path.encode() + b"\n" + body).hexdigest()


def checked_key(key: str | None) -> str:
    """Return the key or raise MissingKey or MalformedKey."""
    if key is None or key == "":
        raise MissingKey
    if not _KEY.fullmatch(key):
        raise MalformedKey
    return key


def take(
    *, operator_id: int, environment: str, key: str, digest: str, route: str, savepoint: str = ""
) -> Taken | Answered:
    """Claim the key in the present transaction, waiting at most 2 s for one that is claiming it now.

    With `savepoint` the work is to be done behind one of that name. Raises IdempotencyConflict or InProgress. The caller's
    transaction cannot go on after InProgress.
    """
    taken = take_up(
        operator_id=operator_id, environment=environment, key=key, digest=digest, route=route, savepoint=savepoint
    )
    if isinstance(taken, Anchored):
        raise InProgress
    return taken


def take_up(
    *, operator_id: int, environment: str, key: str, digest: str, route: str, savepoint: str = ""
) -> Taken | Anchored | Answered:
    """Claim the key as `take` does; one that was begun in a transaction of its own is Anchored."""
    at = clock.parameter()
    try:
        ((claim_id, now),) = prepared.rows(
            _TAKE,
            [operator_id, environment, key, digest, route, request_context.request_id(), at, at],
            then=f"SAVEPOINT {savepoint}" if savepoint else "",
        )
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) == "55P03":
            raise InProgress from error
        raise
    if claim_id is not None:
        return Taken(claim_id, now)
    claim = Claim.objects.get(operator_id=operator_id, environment=environment, key=key)
    if claim.digest != digest:
        raise IdempotencyConflict(first_request_id=claim.request_id)
    if claim.answer_status is None or claim.answer_body is None:
        if claim.anchor:
            return Anchored(claim.pk, claim.anchor)
        raise InProgress
    return Answered(Answer(claim.answer_status, as_given(bytes(claim.answer_body)), claim.answer_headers))


def look_up(*, operator_id: int, environment: str, key: str) -> Kept | None:
    """Return what is kept under a key, or None."""
    claim = Claim.objects.filter(operator_id=operator_id, environment=environment, key=key).first()
    if claim is None:
        return None
    answer = None
    if claim.answer_status is not None and claim.answer_body is not None:
        answer = Answer(claim.answer_status, as_given(bytes(claim.answer_body)), claim.answer_headers)
    return Kept(claim.claimed_at, claim.answered_at, answer)


def anchor(taken: Taken, reference: str) -> None:
    """Write down, in the claim's transaction, what a replay goes on from."""
    Claim.objects.filter(pk=taken.claim_id).update(anchor=reference)


def lock(claim_id: int) -> Taken | Answered:
    """Lock a claim that was begun before; Answered when somebody else has finished it meanwhile."""
    claim = Claim.objects.select_for_update().get(pk=claim_id)
    if claim.answer_status is None or claim.answer_body is None:
        return Taken(claim_id, clock.now())
    return Answered(Answer(claim.answer_status, as_given(bytes(claim.answer_body)), claim.answer_headers))


def answer(taken: Taken, answer: Answer, *, now: datetime, last: bool = False) -> None:
    """Keep the answer with its claim, encrypted where it shows a secret. Written once: raises DataError else.

    `last`: nothing follows it in its transaction, which may end with it.
    """
    given = [answer.status, to_keep(answer.body), json.dumps(answer.headers), now, taken.claim_id]
    (prepared.last_rows if last else prepared.rows)(_ANSWER, given)
