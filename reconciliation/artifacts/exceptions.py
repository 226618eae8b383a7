"""Every exception that this close found, and those of its date that have healed, as its last run left them."""

from reconciliation.aging import bucket_in_sql
from reconciliation.artifact import Artifact

_QUERY = f"""
SELECT c.case_reference AS exception_id,
       c.type,
       close_text(c.subject) AS subject,
       close_text(c.order_reference) AS order_id,
       c.state,
       close_text(c.owner) AS owner,
       c.next_review_on::text AS next_review_date,
       c.asset,
       close_amount(c.amount_minor, coalesce(a.scale, 0::smallint)) AS amount_at_risk,
       close_time(c.opened_at) AS opened_time,
       d.days AS age_days,
       {bucket_in_sql("d.days")} AS aging_bucket,
       close_text(c.first_action) AS first_action,
       close_text(c.reason) AS reason,
       close_text(c.resolution) AS resolution
FROM reconciliation_closefinding c
LEFT JOIN ledger_asset a ON a.code = c.asset
CROSS JOIN LATERAL (SELECT greatest(floor(extract(epoch FROM %(as_of)s::timestamptz - c.opened_at) / 86400), 0)::int AS days) d
WHERE c.close_reference = %(close)s
ORDER BY c.opened_at, c.case_reference
"""  # noqa: S608  (constants of aging)

ARTIFACT = Artifact(
    place=8,
    name="exceptions.csv",
    query=_QUERY,
    counted=("type", "state"),
    summed=(("asset", "amount_at_risk"),),
    of_cases=True,
)
