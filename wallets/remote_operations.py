"""The one door for remote money (DESIGN.md section 5).

1 write down what we are about to ask, and commit
2 if the answer is already known, return it
3 claim it: asked, `ask_until`, and a lease longer than that, committed before sending
4 if this key was ever asked before, look it up instead; do not ask again
5 ask, with no transaction open and never after `ask_until`, which goes along as `Not-After`
6 write the answer down; a late answer of a lost lease is evidence
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Exists, Max, OuterRef, Q, QuerySet

from ledger.controls import references, request_context
from ledger.controls.moves import Birth, Change
from wallets import evidence, questions, transitions
from wallets.claiming import Claimed, Unfounded, claim
from wallets.gateway_adapters import adapter
from wallets.legs import Leg, OtherContent, Performed, known, new_row, written_down
from wallets.models import RemoteOperation
from wallets.outcomes import CAUSES_OF_DOUBT, Cause, Outcome, Unknown

__all__ = [
    "InsideTransaction",
    "Leg",
    "OtherContent",
    "Performed",
    "Standing",
    "Unfounded",
    "birth",
    "declined_keys",
    "grant_ask_again",
    "keys_of",
    "latest_version",
    "left_absent",
    "look_again",
    "look_up",
    "open_keys",
    "outcome_of",
    "perform",
    "standing",
    "unfinished",
    "withdrawal",
    "written_for",
]

_State = RemoteOperation.State


class InsideTransaction(RuntimeError):
    """A remote question was about to be asked inside a database transaction."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What we know of a leg's operation, for those who decide in review.

    `state` is *unknown* for one that was absent and of which the other side has said since that it knows it.
    """

    key: str
    state: str
    version: int
    unknown_cause: str
    rejected_reason: str
    remote_ref: str
    ask_until: datetime | None = None

    @property
    def was_asked(self) -> bool:
        """Tell whether anything may have been sent."""
        return self.state not in (_State.PREPARED, _State.WITHDRAWN)

    @property
    def confirmed(self) -> bool:
        """Tell whether it surely happened."""
        return self.state == _State.CONFIRMED

    @property
    def rejected(self) -> bool:
        """Tell whether it surely did not happen, by the other side's own word."""
        return self.state == _State.REJECTED


def birth(leg: Leg) -> Birth:
    """Return the row that writes a leg down, for the move that decides to ask (step 1, in its transaction)."""
    return Birth(new_row(leg))


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

    `grounds` tells, in the same transaction and after `waits`, whether what a credit pays for stands (a settled trade), or
    what a payout pays with (its hold): this floor cannot see it, and without grounds neither is ever asked.
    """
    _refuse_transaction()
    operation = written_down(leg)
    outcome = known(operation)
    if outcome is not None:
        return Performed(outcome)
    claimed = claim(operation.pk, waits=waits, execute_by=execute_by, grounds=grounds, adapter=adapter)
    if isinstance(claimed, Performed):
        return claimed
    return _question(claimed)


def look_up(key: str, *, by_hand: bool = False) -> Outcome:
    """Ask once what became of a key, whoever asked it. Adds evidence; moves no money. Outside any transaction.

    A gateway that does not answer, or is busy, is left alone for a while, unless a person wants to know (`by_hand`).
    """
    _refuse_transaction()
    operation = RemoteOperation.objects.get(key=key)
    outcome = known(operation)
    if outcome is not None:
        return outcome
    if operation.state == _State.PREPARED:
        return Unknown(Cause.NOT_ASKED)
    claimed = claim(operation.pk, waits=None, execute_by=None, adapter=adapter, by_hand=by_hand)
    if isinstance(claimed, Performed):
        return claimed.outcome
    return _question(claimed).outcome


def look_again(key: str) -> Outcome:
    """Ask once what a confirmed or rejected operation is now: a payment may have come back since, a refusal be taken back.

    Moves nothing. Outside any transaction. Unknown when the gateway was not asked, or said nothing that can be believed: what
    is confirmed stays so. Of what was rejected and is confirmed now the house is told (`contradictions`).
    """
    _refuse_transaction()
    operation = RemoteOperation.objects.get(key=key, state__in=(_State.CONFIRMED, _State.REJECTED))
    claimed = claim(operation.pk, waits=None, execute_by=None, adapter=adapter, again=True)
    return claimed.outcome if isinstance(claimed, Performed) else _question(claimed).outcome


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


def declined_keys(*, owner: str, legs: Sequence[str]) -> list[str]:
    """Return the keys of an owner's movements of these legs that the other side has rejected."""
    found = RemoteOperation.objects.filter(owner=owner, leg__in=legs, state=_State.REJECTED).order_by("pk")
    return list(found.values_list("key", flat=True))


def keys_of(owners: Sequence[str]) -> list[str]:
    """Return the keys of all legs of these owners."""
    return list(RemoteOperation.objects.filter(owner__in=owners).order_by("pk").values_list("key", flat=True))


def unfinished(*, before: datetime, driven: "Sequence[QuerySet[Any, Any]]") -> "QuerySet[Any, Any]":
    """Return operations whose outcome nobody knows, unchanged since `before`, that no owner in `driven` is after.

    Rows for the caller's own question: `key`, `owner`, `leg`, `environment`, `state` and `updated_at` are theirs to read.
    """
    open_ones = RemoteOperation.objects.filter(
        state__in=(_State.PREPARED, _State.ASKED, _State.UNKNOWN), updated_at__lt=before
    ).filter(Q(lease_until__isnull=True) | Q(lease_until__lt=before))
    return _without(open_ones, driven)


def left_absent(
    *, since: datetime, driven: "Sequence[QuerySet[Any, Any]]", noted: "QuerySet[Any, Any]"
) -> "QuerySet[Any, Any]":
    """Return operations proven absent that were asked since then, that no owner in `driven` is after: some turn up late.

    Keys in `noted` are left out. Rows as those of `unfinished`.
    """
    rows = RemoteOperation.objects.filter(state=_State.ABSENT, asked_at__gte=since).exclude(key__in=noted)
    return _without(rows, driven)


def written_for(owner: OuterRef) -> Exists:
    """Return the condition that an owner has any operation."""
    return Exists(RemoteOperation.objects.filter(owner=owner))


def standing(*, owner: str, leg: str, lock: bool = False) -> Standing | None:
    """Return the newest version of a leg, or None when it was never written down. Lock it for who decides by it."""
    rows = RemoteOperation.objects.select_for_update() if lock else RemoteOperation.objects.all()
    operation = rows.filter(owner=owner, leg=leg).order_by("-leg_version").first()
    if operation is None:
        return None
    return Standing(
        key=operation.key,
        state=_State.UNKNOWN.value if _is_doubted(operation) else operation.state,
        version=operation.leg_version,
        unknown_cause=operation.unknown_cause,
        rejected_reason=operation.rejected_reason,
        remote_ref=operation.remote_ref,
        ask_until=operation.ask_until,
    )


def outcome_of(*, owner: str, leg: str) -> Outcome | None:
    """Return what is known for ever of the newest version of a leg; None when nothing is, or it was never written down."""
    operation = RemoteOperation.objects.filter(owner=owner, leg=leg).order_by("-leg_version").first()
    return known(operation) if operation is not None else None


def latest_version(*, owner: str, leg: str) -> int:
    """Return the version of a leg's key in force (1 when it was never written down)."""
    found = RemoteOperation.objects.filter(owner=owner, leg=leg).aggregate(newest=Max("leg_version"))["newest"]
    return int(found or 1)


def grant_ask_again(*, key: str, actor: str) -> None:
    """Let a proven absent key be asked once more, with the same key: a decision of review."""
    granted = RemoteOperation.objects.filter(key=key, state=_State.ABSENT).update(ask_again_granted=actor)
    assert granted == 1, f"{key} is not absent"


def _is_doubted(operation: RemoteOperation) -> bool:
    return operation.state == _State.ABSENT and operation.unknown_cause in CAUSES_OF_DOUBT


def _without(rows: "QuerySet[Any, Any]", driven: "Sequence[QuerySet[Any, Any]]") -> "QuerySet[Any, Any]":
    for owners in driven:
        rows = rows.exclude(owner__in=owners)
    return rows


def _refuse_transaction() -> None:
    if connection.in_atomic_block:
        raise InsideTransaction


def _question(claimed: Claimed) -> Performed:
    """Ask or look up with no transaction open, then write the answer down."""
    request_id = request_context.request_id() or references.new(references.Prefix.REQUEST)
    reply, duration = questions.put(claimed, request_id=request_id)
    return evidence.write_down(claimed, reply, request_id=request_id, duration_ms=duration)
