"""A wallet may be frozen by several at once, by each of them once.

Going back needs that no wallet is frozen by two.
"""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("wallets", "0201_channels_of_pay_ins"),
    ]

    operations = [
        migrations.RemoveConstraint(model_name="walletfreeze", name="wallet_frozen_once"),
        migrations.AddConstraint(
            model_name="walletfreeze",
            constraint=models.UniqueConstraint(
                condition=models.Q(("lifted_at__isnull", True)),
                fields=("wallet", "frozen_by"),
                name="wallet_frozen_once_by_each",
            ),
        ),
    ]
