"""The ids of events, for those who keep an event's id and may not read its table."""

from typing import Any

from django.db.models import Q, QuerySet

from ledger.models import ArchivedEvent, Event


def named(term: str) -> "QuerySet[Any, Any]":
    """Return the ids of the events of a reference or an aggregate, archived ones too: rows for the caller's own question."""
    wanted = Q(reference=term) | Q(aggregate=term)
    archived = ArchivedEvent.objects.filter(wanted).values("pk")
    return Event.objects.filter(wanted).values("pk").union(archived, all=True)
