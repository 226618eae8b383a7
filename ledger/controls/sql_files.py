"""SQL that stands in `.sql` files beside the migrations that run it."""

from pathlib import Path

from django.db import migrations


def run_sql_file(path: Path, *, reverse: str) -> migrations.RunSQL:
    """Return the operation that runs a file. `reverse` is SQL, or `migrations.RunSQL.noop` with a reason beside it."""
    return migrations.RunSQL(path.read_text(encoding="utf-8"), reverse)


def guard_moves(table: str, machine: str) -> migrations.RunSQL:
    """Return the operation that puts the legal-move trigger (rule S1) on a machine's table."""
    assert table.isidentifier()
    assert machine.isidentifier()
    return migrations.RunSQL(
        f"CREATE TRIGGER legal_move BEFORE INSERT OR UPDATE ON {table}"
        f" FOR EACH ROW EXECUTE FUNCTION guard_move('{machine}')",
        f"DROP TRIGGER legal_move ON {table}",
    )


def append_only(table: str) -> migrations.RunSQL:
    """Return the operation that refuses every change of a table's rows (rule L2)."""
    assert table.isidentifier()
    return migrations.RunSQL(
        f"CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
        f"DROP TRIGGER append_only ON {table}",
    )
