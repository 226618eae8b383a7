"""The inbox's other half: judge what has arrived. Drain "inbox" (0Pools, steps 3 to 5; the steps are in `inbox`).

1 take the oldest due event, received or parked, and hold its row: that is the lease, for all that follows is local
2 ask the handler of its kind, behind a savepoint: what it raises undoes its work alone and parks the event, and so
  does a handler that parks it
3 applied and ignored end it, with a reason; parked waits, ever longer, and after the last try it is dead. So does what its
  provider may not bring: when its row was wrong, nothing is lost
4 commit: the judgement, its audit row and all that the handler did, or nothing of it

No lock is waited for longer than two seconds: an event about an order that somebody holds is parked.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

import structlog
from django.db import connection
from django.db import transaction as db_transaction
from django.db.models import QuerySet

from ledger.controls import bell, clock, drains, randomness, request_context
from ledger.controls.redaction import redacted
from ledger.controls.refusals import NotFound
from ledger.controls.rest import bodies
from webhooks import inbox_transitions, providers, routing
from webhooks.inbox import KIND
from webhooks.models import InboundEvent
from webhooks.routing import Applied, Ignored, InboundMessage, Judgement, Parked

log = structlog.get_logger(__name__)

TRIES: Final = 14
_BATCH: Final = 50
_FIRST_DELAY: Final = timedelta(seconds=1)
_LONGEST_DELAY: Final = timedelta(minutes=10)
_LONGEST_HELD_UP: Final = timedelta(minutes=1)
_State = InboundEvent.State


def work() -> int:
    """Judge up to a batch of due events, each in a transaction of its own; return how many."""
    for done in range(_BATCH):
        if not _judge_next():
            return done
    return _BATCH


def depth() -> int:
    """Count events that are due, up to 10000."""
    return _due(clock.now())[:10_000].count()


def replay(*, reference: str, actor: str, now: datetime) -> None:
    """Send a dead event round again, in the caller's transaction. Raises NotFound or IllegalMove."""
    event = InboundEvent.objects.select_for_update().filter(reference=reference).first()
    if event is None:
        raise NotFound(f"There is no inbound event {reference}.")
    inbox_transitions.replayed(event, actor=actor, now=now)
    bell.ring_after_commit(KIND)


def wake(subjects: Sequence[str], *, environment: str, now: datetime) -> None:
    """Have the parked events about any of these ids judged now, in the caller's transaction: what held them up is gone.

    One that is being judged at this moment is left alone: it comes again by itself.
    """
    parked = InboundEvent.objects.filter(
        state=_State.PARKED, environment=environment, available_at__gt=now, subjects__has_any_keys=list(subjects)
    )
    found = list(parked.select_for_update(skip_locked=True).order_by("pk").values_list("pk", flat=True))
    if InboundEvent.objects.filter(pk__in=found).update(available_at=now):
        bell.ring_after_commit(KIND)


def dead() -> list[dict[str, Any]]:
    """Return the dead events, oldest first, a thousand at most; no bodies."""
    rows = InboundEvent.objects.filter(state=_State.DEAD).order_by("judged_at", "id")
    found = rows.values("reference", "provider_code", "kind", "subjects", "reason", "judged_at")[:1000]
    return [dict(row) for row in found]


def register() -> None:
    drains.register(drains.Drain(kind=KIND, work=work, depth=depth))


def _due(now: datetime) -> QuerySet[InboundEvent]:
    return InboundEvent.objects.filter(state__in=(_State.RECEIVED, _State.PARKED), available_at__lte=now)


def _judge_next() -> bool:
    with db_transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '2s'")
        due = _due(clock.now()).select_for_update(skip_locked=True).order_by("available_at", "id")
        event = due.first()
        if event is None:
            return False
        with request_context.bound(request_id=event.request_id, inbound_event=event.reference):
            _write_down(event, _judgement(event), now=clock.now())
    return True


def _judgement(event: InboundEvent) -> Judgement:
    handler = routing.handler_of(event.kind)
    if handler is None:
        return Ignored(f"nobody here handles {event.kind}")
    if not providers.may_bring(event.provider_id, event.kind):
        log.warning("inbox.kind_not_allowed", provider=event.provider_code, kind=event.kind)
        return Parked(f"{event.provider_code} may not bring {event.kind}: its row does not allow it")
    try:
        with db_transaction.atomic():
            judgement = handler(_message(event))
            if isinstance(judgement, Parked):
                db_transaction.set_rollback(True)  # what waits has done nothing yet
        if isinstance(judgement, Parked) and judgement.meanwhile is not None:
            with db_transaction.atomic():
                judgement.meanwhile()
        return judgement
    except Exception as error:
        log.exception("inbox.handler_failed", kind=event.kind)
        return Parked(f"the handler failed: {type(error).__name__}: {redacted(str(error))}"[:300])


def _message(event: InboundEvent) -> InboundMessage:
    return InboundMessage(
        reference=event.reference,
        provider_id=event.provider_id,
        provider=event.provider_code,
        environment=event.environment,
        operator_id=event.operator_id,
        kind=event.kind,
        subjects=tuple(event.subjects),
        transaction=event.provider_transaction,
        content=bodies.read_json(bytes(event.body)),
        request_id=event.request_id,
        received_at=event.created_at,
        places=providers.places(event.provider_id),
    )


def _write_down(event: InboundEvent, judgement: Judgement, *, now: datetime) -> None:
    reason = judgement.reason[:300]
    match judgement:
        case Applied():
            inbox_transitions.judged(event, "apply", reason=reason, values={"judged_at": now}, now=now)
        case Ignored():
            inbox_transitions.judged(event, "ignore", reason=reason, values={"judged_at": now}, now=now)
        case Parked():
            _park(event, reason, counts=judgement.counts, now=now)
        case _:
            assert_never(judgement)
    log.info("inbox.judged", kind=event.kind, state=event.state, reason=reason)


def _park(event: InboundEvent, reason: str, *, counts: bool, now: datetime) -> None:
    attempts = event.attempts + 1 if counts else event.attempts
    values = {"attempts": attempts, "available_at": now + _delay(attempts if counts else None)}
    if attempts >= TRIES:
        values["judged_at"] = now
        inbox_transitions.judged(event, "give_up", reason=reason, values=values, now=now)
        log.error("inbox.dead", provider=event.provider_code, kind=event.kind, reason=reason)
    elif event.state == _State.RECEIVED:
        inbox_transitions.judged(event, "park", reason=reason, values=values, now=now)
    else:  # parked stays parked: no move
        InboundEvent.objects.filter(pk=event.pk).update(reason=reason, updated_at=now, **values)


def _delay(attempts: int | None) -> timedelta:
    """Return a doubling delay, up to a fifth more by chance; a steady one for what does not count."""
    delay = _LONGEST_HELD_UP if attempts is None else min(_FIRST_DELAY * 2 ** (attempts - 1), _LONGEST_DELAY)
    return delay * (1 + randomness.fraction() / 5)
