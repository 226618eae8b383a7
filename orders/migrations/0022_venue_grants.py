"""Let the application keep venues; nobody deletes one."""

from django.db import migrations

from ledger.controls.grants import CHANGE, grants


class Migration(migrations.Migration):
    dependencies = [("orders", "0021_venues")]

    operations = [grants({"orders_venue": CHANGE})]
