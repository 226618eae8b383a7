"""Notices: what people must hear of without looking. A row, an e-mail, and a message to a webhook where one is set.

1 raise what deserves one now, in one statement; the row is unique per kind and subject, so it is raised once
2 claim those not sent, each with a lease, and commit
3 send outside any transaction: e-mail first, then the webhook
4 note that it was sent; what failed is tried again later, ever more slowly

A crash between 3 and 4 sends a notice a second time: better twice than never.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from smtplib import SMTPException
from typing import Final

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.db import connection
from django.db.models import Count, Q, QuerySet

from ledger.controls import clock, drains, metrics, randomness
from reconciliation.models import Notice
from webhooks import outbound

log = structlog.get_logger(__name__)

KIND: Final = "notices"

_BATCH: Final = 5  # each may take twice the patience, all of them less than the lease
_LEASE: Final = timedelta(minutes=2)
_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=1)
_PATIENCE_SECONDS: Final = 10.0
_RAISE: Final = (Path(__file__).parent / "sql" / "notices.sql").read_text(encoding="utf-8")


class NotTaken(Exception):
    """The webhook did not take the notice."""


def register() -> None:
    drains.register(drains.Drain(kind=KIND, work=work, depth=depth))
    metrics.register("holdfast_notices_unsent", "Notices that nobody was told yet.", "gauge", _unsent)


def work() -> int:
    """Raise what is new and send what is not sent; return how many were sent."""
    raise_new()
    token = randomness.octets(16).hex()
    sent = 0
    for notice in _claimed(token):
        try:
            _tell(notice, token)
        except (OSError, SMTPException, NotTaken, outbound.OutboundRefused, *_LOST) as error:
            _put_off(notice, token, error)
            continue
        Notice.objects.filter(pk=notice.pk, lease_token=token).update(
            sent_at=clock.now(), lease_until=None, lease_token="", last_error=""
        )
        sent += 1
    return sent


def raise_new() -> int:
    """Record what deserves a notice and has none; return how many are new."""
    with connection.cursor() as cursor:
        cursor.execute(
            _RAISE,
            {
                "now": clock.parameter(),
                "grace": settings.CLOSE_GRACE,
                "signed_within": settings.CLOSE_SIGNED_WITHIN,
                "break_rate": settings.BREAK_RATE_LIMIT,
            },
        )
        return int(cursor.rowcount)


def depth() -> int:
    """Count the notices that are due to be sent."""
    return _due(clock.now()).count()


_LOST: Final = (outbound.NotSent, outbound.Broken, outbound.TimedOut)


def _due(now: datetime) -> QuerySet[Notice]:
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    return Notice.objects.filter(free, sent_at__isnull=True, available_at__lte=now)


def _claimed(token: str) -> list[Notice]:
    now = clock.now()
    chosen = list(_due(now).order_by("available_at", "pk").values_list("pk", flat=True)[:_BATCH])
    free = Q(lease_until__isnull=True) | Q(lease_until__lt=now)
    Notice.objects.filter(free, pk__in=chosen, sent_at__isnull=True).update(lease_until=now + _LEASE, lease_token=token)
    return list(Notice.objects.filter(lease_token=token).order_by("pk"))


def _tell(notice: Notice, token: str) -> None:
    """Tell by e-mail, once, then by webhook, until it is taken."""
    subject = f"[Holdfast {notice.environment}] {notice.get_kind_display()}"
    if notice.mailed_at is None:
        send_mail(subject, notice.text, settings.DEFAULT_FROM_EMAIL, settings.NOTICE_EMAILS)
        Notice.objects.filter(pk=notice.pk, lease_token=token).update(mailed_at=clock.now())
    if settings.NOTICE_WEBHOOK_URL:
        _post(f"{subject}: {notice.text}", environment=notice.environment)


def _post(text: str, *, environment: str) -> None:
    """Post to a Slack-compatible webhook. Raises NotTaken or what the outbound door raises."""
    answer = outbound.send(
        outbound.OutboundRequest(
            method="POST",
            url=settings.NOTICE_WEBHOOK_URL,
            environment=environment,
            headers={"content-type": "application/json"},
            body=json.dumps({"text": text}).encode(),
            timeout=_PATIENCE_SECONDS,
        )
    )
    if not 200 <= answer.status < 300:
        raise NotTaken(f"the notice webhook answered {answer.status}")


def _put_off(notice: Notice, token: str, error: Exception) -> None:
    pause = min(_FIRST_PAUSE * 2 ** min(notice.attempts, 10), _LONGEST_PAUSE)
    Notice.objects.filter(pk=notice.pk, lease_token=token).update(
        attempts=notice.attempts + 1,
        available_at=clock.now() + pause,
        lease_until=None,
        lease_token="",
        last_error=type(error).__name__,  # its words may name the webhook's address, which is a secret
    )
    log.warning("notice_not_sent", kind=notice.kind, subject=notice.subject, error=type(error).__name__)


def _unsent() -> Iterator[tuple[Mapping[str, str], int]]:
    waiting = Notice.objects.filter(sent_at__isnull=True).values_list("kind").annotate(Count("pk")).order_by("kind")
    for kind, count in waiting:
        yield {"kind": kind}, count
