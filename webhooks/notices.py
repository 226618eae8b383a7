"""Notices: an endpoint was disabled by what it answered, and its operator gets nothing until somebody looks."""

from datetime import datetime

from django.db.models import QuerySet

from webhooks.models import Notice


def open_notices() -> QuerySet[Notice]:
    """Return the notices that nobody has settled, oldest first."""
    return Notice.objects.filter(settled_at__isnull=True).order_by("noticed_at", "pk")


def settle(*, endpoint_reference: str, actor: str, now: datetime) -> int:
    """Settle an endpoint's open notices, since it was enabled again or given up by a person; return how many."""
    return open_notices().filter(endpoint_reference=endpoint_reference).update(settled_at=now, settled_by=actor[:150])
