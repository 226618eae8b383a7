"""Encrypt endpoints' secrets at rest."""

from django.db import migrations

import ledger.controls.encrypted_field
from ledger.controls.encrypted_columns import encrypt_column


class Migration(migrations.Migration):
    dependencies = [("webhooks", "0004_relay_and_deliveries")]

    operations = [
        migrations.AlterField(
            model_name="endpoint",
            name="secret",
            field=ledger.controls.encrypted_field.EncryptedField(
                help_text="whsec_…; encrypted at rest; never shown after creation, never logged"
            ),
        ),
        encrypt_column("webhooks_endpoint", "secret"),
    ]
