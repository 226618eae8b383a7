"""Encrypt gateways' secrets at rest."""

from django.db import migrations

import ledger.controls.encrypted_field
from ledger.controls.encrypted_columns import encrypt_column


class Migration(migrations.Migration):
    dependencies = [("wallets", "0006_their_ids")]

    operations = [
        migrations.AlterField(
            model_name="gateway",
            name="secret",
            field=ledger.controls.encrypted_field.EncryptedField(
                help_text="whsec_…; encrypted at rest; signs our requests; never shown, never logged"
            ),
        ),
        encrypt_column("wallets_gateway", "secret"),
    ]
