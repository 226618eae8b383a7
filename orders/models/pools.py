"""Pools and their halts."""

from django.db import models
from django.db.models import Q

from ledger.environments import Environment


class Pool(models.Model):
    """A liquidity lane. Its reserves are ledger balances at `pools:{code}`."""

    class Kind(models.TextChoices):
        CONSTANT_PRODUCT = "constant_product"

    code = models.CharField(max_length=40, help_text="EUR-USDT")
    environment = models.CharField(max_length=4, choices=Environment.choices)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.CONSTANT_PRODUCT)
    cash_asset = models.CharField(max_length=20)
    position_asset = models.CharField(max_length=20)
    minimum_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="of a buy, in cash asset")
    maximum_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="of a buy, in cash asset")
    quote_lifetime_ms = models.PositiveIntegerField(default=30_000)
    open_reservations_cap = models.PositiveIntegerField(default=500, help_text="per operator")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "code"], name="pool_once")]

    def __str__(self) -> str:
        return self.code


class PoolHalt(models.Model):
    """A pool is halted while it has a row here without `lifted_at`: its open reservations fail for sure."""

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="halts")
    reason = models.CharField(max_length=200)
    halted_by = models.CharField(max_length=150)
    halted_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=150, default="")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pool"], condition=Q(lifted_at__isnull=True), name="pool_halted_once")
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.reason}"
