"""Events are asked for by their whole reference."""

from django.db import migrations

from ledger.controls.prefix_indexes import without_prefix_indexes


class Migration(migrations.Migration):
    dependencies = [("ledger", "0135_posting_in_sets")]

    operations = [without_prefix_indexes("ledger_event", "ledger_archivedevent")]
