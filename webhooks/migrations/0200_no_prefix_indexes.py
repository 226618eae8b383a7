"""Deliveries and what the inbox keeps are asked for by whole references."""

from django.db import migrations

from ledger.controls.prefix_indexes import without_prefix_indexes


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0190_inbox_by_their_transaction")]

    operations = [without_prefix_indexes("webhooks_delivery", "webhooks_inboundevent", "webhooks_providertransaction")]
