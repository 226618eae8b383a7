"""Let the application keep what the status poller found; nobody deletes it."""

from django.db import migrations

from ledger.controls.grants import CHANGE, grants


class Migration(migrations.Migration):
    dependencies = [("orders", "0015_stale_findings")]

    operations = [grants({"orders_stalefinding": CHANGE})]
