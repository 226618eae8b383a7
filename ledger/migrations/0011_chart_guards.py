"""Guard what versions say, stamp their moves, name on each transaction the template version that made it."""

from pathlib import Path

from django.db import migrations

from ledger.controls.grants import CHANGE, READ, function_grants, grants
from ledger.controls.sql_files import guard_moves, run_sql_file

_SQL = Path(__file__).resolve().parent.parent / "sql"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0010_chart_versions")]

    operations = [
        migrations.RunSQL("ALTER TABLE ledger_transaction ADD COLUMN template_version bigint", migrations.RunSQL.noop),
        # the functions name the new column; in an old database they stood without it
        run_sql_file(_SQL / "journal_post_one.sql", reverse=migrations.RunSQL.noop),
        run_sql_file(_SQL / "journal_post_list.sql", reverse=migrations.RunSQL.noop),
        run_sql_file(_SQL / "chart.sql", reverse=migrations.RunSQL.noop),
        guard_moves("ledger_chartversion", "chart_version"),
        guard_moves("ledger_glmapping", "gl_mapping"),
        guard_moves("ledger_postingtemplate", "posting_template"),
        grants(
            {
                "ledger_chartversion": CHANGE,
                "ledger_glmapping": CHANGE,
                "ledger_postingtemplate": CHANGE,
                "ledger_template_stamp": READ,
            }
        ),
        function_grants(["ledger_stamp_templates"]),
    ]
