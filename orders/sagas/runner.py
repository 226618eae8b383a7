"""Drives sagas from their work rows: claim due rows, advance each subject until it waits or stops. Drain "sagas".

Redis, the worker or the database may die between any two lines: the row's lease runs out and another takes over.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import close_old_connections, connection
from django.db.models import Count, Q

from ledger.controls import clock, drains, metrics, randomness, references, request_context
from ledger.controls.redaction import redacted
from orders.locks import IntentFrozen, OrderFrozen
from orders.models import Intent, Order, Payout, Quote, Return, SagaRun, Trade
from orders.sagas import buy, crew, give_back, news, payout, releasing, sell, transfer
from orders.sagas.batch import Batch
from orders.sagas.progress import MOVED, Moved, Progress, Stopped, Wait
from orders.sagas.watching import watch

Subject = Order | Return | Trade | Intent | Payout

_MODELS: Mapping[str, type[Subject]] = {
    references.Prefix.ORDER: Order,
    references.Prefix.RETURN: Return,
    references.Prefix.TRADE: Trade,
    references.Prefix.INTENT: Intent,
    references.Prefix.PAYOUT: Payout,
}

log = structlog.get_logger(__name__)

_BATCH = 32
_MAXIMUM_STEPS = 20
_CROWD = 16
_YIELDS_FOR_MILLISECONDS = 250
_FIRST_PAUSE = timedelta(milliseconds=200)
_LONGEST_PAUSE = timedelta(minutes=5)

# The limit is counted in a step of its own: beneath a join the server may ask for it once a row, and each time it skips what
# it has locked and takes the next.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT s.id FROM orders_sagarun s
    WHERE s.available_at <= coalesce(%(now)s, clock_timestamp())
      AND (s.lease_until IS NULL OR s.lease_until < coalesce(%(now)s, clock_timestamp()))
    ORDER BY s.available_at LIMIT %(batch)s FOR UPDATE SKIP LOCKED)
UPDATE orders_sagarun AS r
SET lease_until = coalesce(%(now)s, clock_timestamp()) + %(lease)s * interval '1 second', lease_token = %(token)s
FROM due WHERE r.id = due.id
RETURNING r.subject, r.news
"""

# Two workers that take turns at every order do twice the work of one that takes them together. So a crew leaves what has just
# become due to another that is at work (it claims again, as long as it holds anything), unless there is enough for both, or the
# other does not come: its worker may be dead, or waiting for what is slow.
_IS_LEFT = """
SELECT EXISTS (SELECT FROM orders_sagarun AS o
               WHERE o.available_at <= coalesce(%(now)s, clock_timestamp()) AND o.lease_token <> %(token)s
                 AND o.lease_until >= coalesce(%(now)s, clock_timestamp()))
   AND NOT EXISTS (SELECT FROM orders_sagarun AS s
                   WHERE s.available_at <= coalesce(%(now)s, clock_timestamp()) - %(yields)s * interval '1 millisecond'
                     AND (s.lease_until IS NULL OR s.lease_until < coalesce(%(now)s, clock_timestamp())))
   AND (SELECT count(*) FROM (
           SELECT FROM orders_sagarun AS s
           WHERE s.available_at <= coalesce(%(now)s, clock_timestamp())
             AND (s.lease_until IS NULL OR s.lease_until < coalesce(%(now)s, clock_timestamp()))
           LIMIT %(crowd)s) AS due) < %(crowd)s
"""

_GIVE_BACK = """
UPDATE orders_sagarun
SET available_at = coalesce(%(now)s, clock_timestamp())
        + CASE WHEN news > %(heard)s THEN 0 ELSE %(pause)s END * interval '1 millisecond',
    news = news - coalesce(%(heard)s, 0),
    lease_until = NULL, lease_token = '', attempts = %(attempts)s, last_error = %(last_error)s
WHERE subject = %(subject)s AND lease_token = %(token)s
"""


def work() -> int:
    """Claim a batch of due sagas and advance them. Returns how many were claimed."""
    token = randomness.octets(16).hex()
    if settings.SAGA_THREADS > 1:
        return crew.keep_busy(
            lambda most: {} if _is_left_to_another(token=token) else _claim(most, token=token),
            lambda reference: _run_in_thread(reference, token),
            Batch(token=token, threads=settings.SAGA_THREADS),
        )
    claimed = _claim(1, token=token)
    for reference in claimed:
        run(reference, token=token)
    return len(claimed)


def run(reference: str, *, token: str) -> None:
    """Advance one claimed subject until it waits or stops, then give its row back (or drop it)."""
    subject = _found(reference)
    if subject is None:
        SagaRun.objects.filter(subject=reference).delete()
        return
    heard = news.counted(reference, token=token)
    order_reference, request_id = _belongs_to(subject)
    with request_context.bound(request_id=request_id, order_reference=order_reference):
        try:
            progress = _advance(subject)
        except Exception as error:  # noqa: BLE001  a task's edge: a defect stops this one for a while, never the others
            _note_defect(reference, token, error)
            return
    pause = progress.pause if isinstance(progress, Wait) else timedelta(0)
    if isinstance(progress, Stopped) and _drop(reference, token, heard=heard):
        return
    _give_back(reference, token, pause, attempts=0, heard=heard)


def register() -> None:
    drains.register(drains.Drain(kind="sagas", work=work, depth=due, has_waited=has_waited))
    metrics.register(
        "holdfast_sagas_failing",
        "Sagas whose last step raised a defect and is tried again: an alert.",
        "gauge",
        _failing,
    )


def due() -> int:
    """Count the sagas that are due and not leased."""
    now = clock.now()
    waiting = SagaRun.objects.filter(available_at__lte=now)
    return waiting.filter(lease_until__isnull=True).count() + waiting.filter(lease_until__lt=now).count()


def has_waited(seconds: float) -> bool:
    """Tell whether a saga has been due, and nobody's, for so long."""
    before = clock.now() - timedelta(seconds=seconds)
    waiting = SagaRun.objects.filter(available_at__lte=before)
    return waiting.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=before)).exists()


def _failing() -> Iterator[tuple[Mapping[str, str], int]]:
    failing = SagaRun.objects.filter(attempts__gt=0).values_list("environment").annotate(Count("pk"))
    for environment, number in failing.order_by("environment"):
        yield {"environment": environment}, number


def _is_left_to_another(*, token: str) -> bool:
    """Tell whether another worker is taking orders together now, and will take what is due too."""
    given = {"now": clock.parameter(), "token": token, "yields": _YIELDS_FOR_MILLISECONDS, "crowd": _CROWD}
    with connection.cursor() as cursor:
        cursor.execute(_IS_LEFT, given)
        return bool(cursor.fetchone() == (True,))


def _claim(most: int, *, token: str) -> dict[str, int]:
    """Lease so many due rows; return their subjects, each with how much news it has."""
    with connection.cursor() as cursor:
        cursor.execute(
            _CLAIM, {"now": clock.parameter(), "lease": settings.SAGA_LEASE, "token": token, "batch": min(most, _BATCH)}
        )
        return dict(cursor.fetchall())


def _found(reference: str) -> Subject | None:
    model = _MODELS.get(reference.partition("_")[0])
    return model.objects.filter(reference=reference).first() if model else None


def _belongs_to(subject: Subject) -> tuple[str, str]:
    """Return the order's or intent's reference and the request id under which its steps are logged."""
    match subject:
        case Order() | Intent():
            return subject.reference, subject.request_id
        case Payout():
            asked = Intent.objects.filter(reference=subject.intent_reference).values_list("request_id", flat=True)
            return subject.intent_reference, asked.first() or ""
        case Return():
            return subject.order_reference or subject.intent_reference, ""
        case _:
            return subject.order_reference, ""


def _again(subject: Subject) -> Subject:
    return type(subject).objects.get(pk=subject.pk)


def _step(subject: Subject) -> Progress:
    if isinstance(subject, Intent):
        return transfer.advance(subject)
    if isinstance(subject, Payout):
        return payout.advance(subject)
    if isinstance(subject, Return):
        return give_back.advance(subject)
    if isinstance(subject, Trade):
        return releasing.advance(subject)
    return buy.advance(subject) if subject.side == Quote.Side.BUY else sell.advance(subject)


def _advance(subject: Subject) -> Progress:
    progress: Progress = MOVED
    for _ in range(_MAXIMUM_STEPS):
        try:
            progress = _step(subject)
        except (OrderFrozen, IntentFrozen):
            assert not isinstance(subject, Intent)
            return watch(subject)
        if not isinstance(progress, Moved):
            break
        subject = _again(subject)
    return progress


def _note_defect(reference: str, token: str, error: Exception) -> None:
    run_row = SagaRun.objects.filter(subject=reference, lease_token=token).first()
    attempts = run_row.attempts + 1 if run_row else 1
    log.exception("saga_defect", subject=reference, attempts=attempts)
    pause = min(_FIRST_PAUSE * 2 ** min(attempts, 12), _LONGEST_PAUSE)
    said = f"{type(error).__name__}: {redacted(str(error))}"[:300]
    _give_back(reference, token, pause, attempts=attempts, last_error=said)


def _drop(reference: str, token: str, *, heard: int) -> bool:
    """Delete the row, unless the other side has had news meanwhile."""
    deleted, _ = SagaRun.objects.filter(subject=reference, lease_token=token, news=heard).delete()
    return deleted > 0


def _give_back(
    reference: str, token: str, pause: timedelta, *, attempts: int, last_error: str = "", heard: int | None = None
) -> None:
    """Give the row back for later, or for now when news came meanwhile. `heard` is None after a defect: the mark stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            _GIVE_BACK,
            {
                "now": clock.parameter(),
                "pause": pause // timedelta(milliseconds=1),
                "attempts": attempts,
                "last_error": last_error,
                "heard": heard,
                "subject": reference,
                "token": token,
            },
        )


def _run_in_thread(reference: str, token: str) -> None:
    close_old_connections()
    run(reference, token=token)
