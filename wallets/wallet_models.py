"""Wallets of users and merchants: accounts in our book, several assets each."""

from django.db import models

from ledger.environments import Environment


class Wallet(models.Model):
    """A user's or merchant's money in our book. Its reference is the part of its account addresses."""

    class Kind(models.TextChoices):
        USER = "user"
        """`users:{reference}:available`"""
        MERCHANT = "merchant"
        """`merchants:{reference}:available`"""

    reference = models.CharField(max_length=40, unique=True)
    environment = models.CharField(max_length=4, choices=Environment.choices)
    operator_id = models.BigIntegerField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    user_reference = models.CharField(max_length=64, help_text="the operator's opaque name for its owner")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=150, default="")
    moved_after_close_at = models.DateTimeField(
        null=True, help_text="something from outside moved in it since, and it is not empty: people open it again"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operator_id", "environment", "kind", "user_reference"], name="wallet_once")
        ]
        indexes = [
            models.Index(
                fields=["moved_after_close_at"],
                condition=models.Q(moved_after_close_at__isnull=False),
                name="wallet_moved_after_close",
            )
        ]

    def __str__(self) -> str:
        return self.reference


class WalletAsset(models.Model):
    """One asset of a wallet: its account is open. Never removed."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="assets")
    asset = models.CharField(max_length=20)
    opened_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["wallet", "asset"], name="wallet_asset_once")]


class WalletFreeze(models.Model):
    """A wallet with any row here without `lifted_at` pays nothing out; it is still credited. One of each freezer stands."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="freezes")
    reason = models.CharField(max_length=200)
    frozen_by = models.CharField(max_length=150)
    frozen_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=150, default="")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["wallet", "frozen_by"],
                condition=models.Q(lifted_at__isnull=True),
                name="wallet_frozen_once_by_each",
            )
        ]

    def __str__(self) -> str:
        return f"{self.wallet} by {self.frozen_by}"


class WalletReopening(models.Model):
    """A closed wallet was opened again by the house: when and by whom it had been closed, and why it is open. Append-only."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="reopenings")
    closed_at = models.DateTimeField()
    closed_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=200)
    reopened_by = models.CharField(max_length=150)
    reopened_at = models.DateTimeField()
