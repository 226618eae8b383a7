"""Indexes that nobody reads: Django makes a second one for each unique or indexed text, for searches by its beginning.

References are asked for whole. On tables that grow with every order and transfer the second index is only written.
"""

from django.db.migrations.operations.special import RunSQL

_DROP = """
DO $$
DECLARE v_name text;
BEGIN
    FOR v_name IN
        SELECT indexname FROM pg_indexes
        WHERE schemaname = 'public' AND tablename IN ({tables}) AND indexname LIKE '%\\_like'
          AND indexdef LIKE '%varchar_pattern_ops%' AND NOT indexname LIKE ANY (ARRAY[{kept}]::text[])
    LOOP
        EXECUTE format('DROP INDEX %I', v_name);
    END LOOP;
END $$
"""


def without_prefix_indexes(*tables: str, kept: tuple[str, ...] = ()) -> RunSQL:
    """Drop these tables' prefix indexes, except those whose names begin with one of `kept`. Backwards they stay away."""
    names = ", ".join(f"'{table}'" for table in tables)
    return RunSQL(_DROP.format(tables=names, kept=", ".join(f"'{name}%'" for name in kept)), reverse_sql=RunSQL.noop)
