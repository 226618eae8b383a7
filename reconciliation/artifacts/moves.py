"""The audit export: every move of the window with who made it, why, and the request or event behind it."""

from reconciliation.artifact import Artifact

_QUERY = """
SELECT close_time(m.moved_at) AS moved_time,
       m.machine,
       close_text(m.subject) AS subject,
       m.sequence,
       m.from_state,
       m.to_state,
       close_text(m.actor) AS actor,
       close_text(m.cause) AS cause,
       close_text(m.request_id) AS request_id,
       close_text(m.event_reference) AS event_id,
       close_text(m.evidence::text) AS evidence,
       p.reference AS operator_id,
       m.environment
FROM ledger_move m
LEFT JOIN wallets_operator p ON p.id = m.operator_id
WHERE m.environment = %(environment)s AND m.moved_at >= %(from)s AND m.moved_at < %(to)s AND m.moved_at <= %(as_of)s
ORDER BY m.moved_at, m.subject, m.sequence, m.id
"""

ARTIFACT = Artifact(place=7, name="moves.csv", query=_QUERY, counted=("machine",))
