"""The other side has news of a saga's subject: its work row is due, and marked, so that a lookup comes at once.

The mark is a count. Whoever advances the subject takes off what had been counted at its claim; what came meanwhile stays,
and makes the row due again: it is lost neither with the row nor with the pause that the advance asks for.
"""

from datetime import datetime

from django.db import connection

from ledger.controls import bell
from orders.models import SagaRun

_TELL = """
INSERT INTO orders_sagarun AS s (subject, environment, available_at, attempts, lease_token, last_error, news)
VALUES (%(subject)s, %(environment)s, %(now)s, 0, '', '', 1)
ON CONFLICT (subject) DO UPDATE SET news = s.news + 1, available_at = least(s.available_at, excluded.available_at)
"""


def tell(subject: str, *, environment: str, now: datetime) -> None:
    """Mark the subject's work row (make one when there is none) and ring, in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_TELL, {"subject": subject, "environment": environment, "now": now})
    bell.ring_after_commit("sagas")


def are_there(subject: str) -> bool:
    """Tell whether the subject's row is marked."""
    return SagaRun.objects.filter(subject=subject, news__gt=0).exists()


def counted(subject: str, *, token: str) -> int:
    """Return how much news the claimed row holds: what an advance that begins now will have looked up."""
    return SagaRun.objects.filter(subject=subject, lease_token=token).values_list("news", flat=True).first() or 0
