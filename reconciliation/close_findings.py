"""What the last run of a close left: every case that it found, and those of its date that have healed, as they stood then."""

from collections.abc import Collection

from django.db import connection

from reconciliation.models import CloseFinding, CloseRun

_WRITE = """
INSERT INTO reconciliation_closefinding (close_reference, case_reference, found, type, subject, order_reference, state, owner,
    next_review_on, asset, amount_minor, first_action, reason, resolution, opened_at)
SELECT %(close)s, c.reference, f.type IS NOT NULL, c.type, c.subject, c.order_reference, c.state, c.owner, c.next_review_on,
       c.asset, c.amount_minor, c.first_action, left(coalesce(c.detail ->> 'reason', ''), 200), c.resolution, c.created_at
FROM reconciliation_exceptioncase c
LEFT JOIN unnest(%(types)s::text[], %(subjects)s::text[]) AS f (type, subject)
    ON f.type = c.type AND f.subject = c.subject
WHERE c.environment = %(environment)s AND (f.type IS NOT NULL OR c.business_date = %(date)s)
"""


def write(*, close: CloseRun, found: Collection[tuple[str, str]]) -> None:
    """Replace what the run before left, in the caller's transaction. `found` names cases by type and subject."""
    CloseFinding.objects.filter(close_reference=close.reference).delete()
    pairs = sorted(found)
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE,
            {
                "close": close.reference,
                "environment": close.environment,
                "date": close.business_date,
                "types": [type_ for type_, _ in pairs],
                "subjects": [subject for _, subject in pairs],
            },
        )
