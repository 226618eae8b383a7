-- L9: blocks are counted from 1, and each root covers its block and the root before it.
WITH chain AS (
    SELECT b.*, lag(b.number, 1, 0::bigint) OVER book AS number_before, lag(b.root, 1, '') OVER book AS root_before
    FROM ledger_block b WHERE b.book_id = ANY (%(books)s) WINDOW book AS (PARTITION BY b.book_id ORDER BY b.number)
)
SELECT c.book_id, 'block ' || c.number AS subject,
       concat_ws('; ',
           CASE WHEN c.number_before <> c.number - 1 THEN format('blocks %%s to %%s are gone', c.number_before + 1, c.number - 1)
                WHEN c.previous_root <> c.root_before THEN 'it is not chained to the block before it' END,
           CASE WHEN c.root <> ledger_root(c.book_id, c.number, c.sealed_at, c.members, c.members_hash, c.previous_root)
                THEN 'its root is not that of its row' END) AS detail
FROM chain c
WHERE c.number_before <> c.number - 1 OR c.previous_root <> c.root_before
   OR c.root <> ledger_root(c.book_id, c.number, c.sealed_at, c.members, c.members_hash, c.previous_root)
ORDER BY c.book_id, c.number
