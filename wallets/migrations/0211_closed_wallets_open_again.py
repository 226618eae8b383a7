"""What moves in a closed wallet is seen, and the house opens it again."""

import django.db.models.deletion
from django.db import migrations, models

from ledger.controls.grants import APPEND, grants
from ledger.controls.sql_files import append_only


class Migration(migrations.Migration):
    dependencies = [("wallets", "0210_freezes_of_each_freezer")]

    operations = [
        migrations.AddField(
            model_name="wallet",
            name="moved_after_close_at",
            field=models.DateTimeField(
                help_text="something from outside moved in it since, and it is not empty: people open it again",
                null=True,
            ),
        ),
        migrations.AddIndex(
            model_name="wallet",
            index=models.Index(
                condition=models.Q(("moved_after_close_at__isnull", False)),
                fields=["moved_after_close_at"],
                name="wallet_moved_after_close",
            ),
        ),
        migrations.CreateModel(
            name="WalletReopening",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("closed_at", models.DateTimeField()),
                ("closed_by", models.CharField(max_length=150)),
                ("reason", models.CharField(max_length=200)),
                ("reopened_by", models.CharField(max_length=150)),
                ("reopened_at", models.DateTimeField()),
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="reopenings", to="wallets.wallet"
                    ),
                ),
            ],
        ),
        grants({"wallets_walletreopening": APPEND}),
        append_only("wallets_walletreopening"),
    ]
