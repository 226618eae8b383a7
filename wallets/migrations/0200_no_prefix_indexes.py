"""Requests and remote operations are asked for by whole references; a key's beginning is what the sandbox's page looks for."""

from django.db import migrations

from ledger.controls.prefix_indexes import without_prefix_indexes


class Migration(migrations.Migration):
    dependencies = [("wallets", "0080_payments_read_again")]

    operations = [
        without_prefix_indexes("wallets_apirequest", "wallets_remoteoperation", kept=("wallets_remoteoperation_key_",))
    ]
