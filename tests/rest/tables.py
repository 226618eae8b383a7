"""What a refused request must leave as it was: every row of every table but its own traces."""

from django.db import connection

_TRACES = frozenset(
    {
        "ledger_claim",  # a refusal that is an answer is kept with its key
        "wallets_apirequest",  # the request log
        "wallets_breaker",  # what its answers say of a gateway that was asked
        "wallets_inquiry",  # what it was asked, and said
        "wallets_operatorkey",  # when the key was last used
    }
)
_READABLE = """
SELECT c.relname FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT')
ORDER BY c.relname
"""


def fingerprint() -> dict[str, str]:
    """Return a checksum of every table's rows."""
    with connection.cursor() as cursor:
        cursor.execute(_READABLE)
        names = [name for (name,) in cursor.fetchall() if name not in _TRACES]
        parts = (
            f"SELECT '{name}', coalesce(md5(string_agg(r::text, E'\\n' ORDER BY r::text)), '') FROM \"{name}\" AS r"
            for name in names
        )
        cursor.execute(" UNION ALL ".join(parts))
        return dict(cursor.fetchall())


def rows(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f'SELECT count(*) FROM "{table}"')
        row = cursor.fetchone()
    return int(row[0]) if row else 0
