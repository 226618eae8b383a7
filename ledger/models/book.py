from django.db import models

from ledger import money
from ledger.environments import Environment


class Asset(models.Model):
    """What is counted. `scale` is fixed for ever once anything was posted in it."""

    code = models.CharField(max_length=20, primary_key=True)
    name = models.CharField(max_length=80)
    scale = models.PositiveSmallIntegerField(help_text="decimals of the major unit: JPY 0, EUR 2, ETH 18")

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(scale__lte=18), name="asset_scale_at_most_18")]

    def __str__(self) -> str:
        return self.code

    def as_value(self) -> money.Asset:
        return money.Asset(code=self.code, scale=self.scale)


class Book(models.Model):
    """One environment's accounts."""

    environment = models.CharField(max_length=4, choices=Environment.choices, unique=True)
    close_zone = models.CharField(
        max_length=64, default="UTC", help_text="the zone whose midnight ends a business date"
    )
    reporting_asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return self.environment
