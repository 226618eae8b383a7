"""Find the holds that are open without reading those that have ended: a close asks for them every day."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0100_posting_by_itself"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX ledger_hold_open ON ledger_hold (transaction_id) WHERE state = 'open'",
            reverse_sql="DROP INDEX ledger_hold_open",
        ),
    ]
