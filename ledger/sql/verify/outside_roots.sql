-- L9: a root that left the database is still the root of its block: else the tail behind it was cut off or remade.
SELECT r.book_id, 'block ' || r.number AS subject,
       CASE WHEN b.number IS NULL THEN format('missing: a root of it is kept outside, the last block here is %%s',
                                              (SELECT coalesce(max(n.number), 0) FROM ledger_block n WHERE n.book_id = r.book_id))
            ELSE format('its root is %%s, outside it is %%s', b.root, r.root) END AS detail
FROM unnest(%(root_books)s::smallint[], %(root_numbers)s::bigint[], %(roots)s::text[]) AS r (book_id, number, root)
LEFT JOIN ledger_block b ON b.book_id = r.book_id AND b.number = r.number
WHERE r.book_id = ANY (%(books)s) AND b.root IS DISTINCT FROM r.root
ORDER BY r.book_id, r.number
