"""A confirmation that came after its order, return or payout had ended otherwise, until people have said what it is.

Its return is the case that they work: once adjusted or dismissed there our books say what happened.
"""

from reconciliation.check import Check

_QUERY = """
SELECT r.reference AS subject, coalesce(nullif(r.order_reference, ''), r.intent_reference) AS order_reference,
       r.operator_id, r.asset, r.amount_minor,
       jsonb_build_object('reason', r.leg || ' confirmed after the end', 'return_id', r.reference, 'key', r.operation_key,
                          'order_id', nullif(r.order_reference, ''), 'intent_id', nullif(r.intent_reference, ''),
                          'partner_order_id', r.partner_order_id,
                          'transact_id', r.terms ->> 'trade', 'quote_id', r.terms ->> 'quote') AS detail
FROM close_returns(%(environment)s, %(from)s, %(to)s) r
WHERE r.state = 'open' AND r.kind = 'late_effect'
"""

CHECK = Check(
    place=12,
    name="late_effect",
    title="Late effect",
    meaning="The other side confirmed a movement after its order had ended otherwise.",
    first_action="Adjust the books to what happened, or dismiss it as a mistake, in its return's review.",
    owner="ops",
    point=4,
    query=_QUERY,
)
