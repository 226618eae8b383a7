"""Wallets of users and merchants, and the application's rights."""

import django.db.models.deletion
from django.db import migrations, models

from ledger.controls.grants import APPEND, CHANGE, grants


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0021_door_grants"),
    ]

    operations = [
        migrations.CreateModel(
            name="Wallet",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reference", models.CharField(max_length=40, unique=True)),
                ("environment", models.CharField(choices=[("live", "Live"), ("test", "Test")], max_length=4)),
                ("operator_id", models.BigIntegerField()),
                ("kind", models.CharField(choices=[("user", "User"), ("merchant", "Merchant")], max_length=8)),
                (
                    "user_reference",
                    models.CharField(help_text="the operator's opaque name for its owner", max_length=64),
                ),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
                ("closed_by", models.CharField(default="", max_length=150)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("operator_id", "environment", "kind", "user_reference"), name="wallet_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WalletAsset",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("asset", models.CharField(max_length=20)),
                ("opened_at", models.DateTimeField()),
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="assets", to="wallets.wallet"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("wallet", "asset"), name="wallet_asset_once")],
            },
        ),
        migrations.CreateModel(
            name="WalletFreeze",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("reason", models.CharField(max_length=200)),
                ("frozen_by", models.CharField(max_length=150)),
                ("frozen_at", models.DateTimeField()),
                ("lifted_by", models.CharField(default="", max_length=150)),
                ("lifted_at", models.DateTimeField(null=True)),
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="freezes", to="wallets.wallet"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at__isnull", True)), fields=("wallet",), name="wallet_frozen_once"
                    )
                ],
            },
        ),
        grants({"wallets_wallet": CHANGE, "wallets_walletasset": APPEND, "wallets_walletfreeze": CHANGE}),
    ]
