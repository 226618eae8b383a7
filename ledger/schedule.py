"""The interval rows of the beat: which drains ring by the clock. Loading them again changes nothing."""

import json
from typing import Final

from django_celery_beat.models import IntervalSchedule, PeriodicTask

_EVERY_SECONDS: Final = {
    "fold": 5,
    "hold_expiry": 10,
    "relay": 5,
    "deliveries": 5,
    "sagas": 5,
    "quote_expiry": 10,
    "payout_expiry": 10,
    "rates": 30,
    "closes": 60,
    "stale": 60,
    "payout_returns": 60,
    "notices": 15,
    "seals": 10,
    "inbox": 5,
    "event_archive": 3600,
}


def load() -> None:
    """Insert what is missing. A ring that no worker hears within its interval is thrown away."""
    for kind, seconds in _EVERY_SECONDS.items():
        interval, _ = IntervalSchedule.objects.get_or_create(every=seconds, period=IntervalSchedule.SECONDS)
        PeriodicTask.objects.get_or_create(
            name=f"drain {kind}",
            defaults={
                "interval": interval,
                "task": "ledger.drain",
                "kwargs": json.dumps({"kind": kind}),
                "expire_seconds": seconds,
            },
        )
