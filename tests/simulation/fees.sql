-- What each payment was charged, worked out again from the version that its item names, which was in force when it was priced.
WITH payments AS MATERIALIZED (
    SELECT reference, amount_minor, fee_minor, vat_minor, fee_items, debit_minor - network_fee_minor AS given, credit_minor AS received
    FROM orders_intent
    UNION ALL SELECT reference, gross_minor, fee_minor, vat_minor, fee_items, NULL, NULL FROM orders_payin
), items AS (
    SELECT i.reference, i.amount_minor, item ->> 'rule' AS code, (item ->> 'version')::int AS number,
           (item ->> 'amount')::numeric * 100 AS fee, (item ->> 'vat')::numeric * 100 AS vat
    FROM payments i CROSS JOIN jsonb_array_elements(i.fee_items) item
), priced AS (
    SELECT subject, min(id) AS id FROM ledger_move
    WHERE (machine, to_state) IN (('intent', 'validated'), ('pay_in', 'booked')) GROUP BY subject
), versions AS (
    SELECT r.code, r.number, r.phase, r.fixed_minor, r.basis_points, r.minimum_minor, r.vat_basis_points,
           min(m.id) FILTER (WHERE m.to_state = 'active') AS since, min(m.id) FILTER (WHERE m.to_state = 'retired') AS until
    FROM wallets_feerule r JOIN ledger_move m ON m.subject = r.reference GROUP BY r.id
), due AS (
    SELECT t.*, p.id AS at, v.since, v.until, v.phase, v.vat_basis_points,
           greatest(v.minimum_minor, v.fixed_minor + round(t.amount_minor * v.basis_points / 10000)) AS fee_due
    FROM items t LEFT JOIN priced p ON p.subject = t.reference
    LEFT JOIN versions v ON v.code = t.code AND v.number = t.number
), sums AS (
    SELECT reference, sum(fee) AS fee, sum(vat) AS vat, coalesce(sum(fee + vat) FILTER (WHERE phase = 'PRE'), 0) AS on_top,
           coalesce(sum(fee + vat) FILTER (WHERE phase = 'POST'), 0) AS out_of_it
    FROM due GROUP BY reference
)
SELECT 'a fee' AS rule, reference AS subject,
       format('%s version %s: %s and VAT %s, that version says %s', code, number, fee, vat, fee_due) AS detail
FROM due WHERE fee IS DISTINCT FROM fee_due OR vat IS DISTINCT FROM round(fee_due * vat_basis_points / 10000)
UNION ALL
SELECT 'a fee', reference, format('%s version %s was not in force when it was priced', code, number)
FROM due WHERE (since < at AND coalesce(until > at, true)) IS NOT TRUE
UNION ALL
SELECT 'a fee', i.reference, format('%s and VAT %s, its items say %s and %s', i.fee_minor, i.vat_minor, t.fee, t.vat)
FROM payments i LEFT JOIN sums t ON t.reference = i.reference
WHERE i.fee_minor <> coalesce(t.fee, 0) OR i.vat_minor <> coalesce(t.vat, 0)
UNION ALL
SELECT 'a fee', i.reference, format('of %s, %s is given and %s received: %s comes on top, %s out of it', i.amount_minor, i.given,
                                    i.received, t.on_top, t.out_of_it)
FROM payments i JOIN sums t ON t.reference = i.reference
WHERE i.given <> i.amount_minor + t.on_top OR i.received <> i.amount_minor - t.out_of_it
UNION ALL
SELECT 'a fee', i.reference, 'it was priced, and no version is named'
FROM orders_intent i JOIN priced p ON p.subject = i.reference WHERE i.fee_items = '[]'
