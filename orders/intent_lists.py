"""Lists of payment requests, by what REST calls their status."""

from django.db.models import QuerySet

from orders.models import Intent


def with_status(rows: "QuerySet[Intent]", status: str) -> "QuerySet[Intent]":
    """Return those in a status. What has not settled has no number: by that their index finds them among many that have."""
    state = Intent.State(status.lower())
    shown = rows.filter(state=state)
    return shown if state == Intent.State.SETTLED else shown.filter(reference_number="")
