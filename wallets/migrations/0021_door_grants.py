"""Let the application keep breakers and pauses; nobody deletes them."""

from django.db import migrations

from ledger.controls.grants import CHANGE, grants


class Migration(migrations.Migration):
    dependencies = [("wallets", "0020_doors")]

    operations = [grants({"wallets_breaker": CHANGE, "wallets_gatewaypause": CHANGE})]
