"""Pools, their halts, and the outside venues that execute some pools' trades."""

from django.db import models
from django.db.models import Q

from ledger.environments import Environment


class Venue(models.Model):
    """Somebody else who executes trades, behind the remote door. Its books are its own: ours keep what it owes us, and we it.

    Never named to an operator.
    """

    code = models.SlugField(max_length=30, help_text="part of its account addresses; never changes")
    environment = models.CharField(max_length=4, choices=Environment.choices)
    gateway_id = models.BigIntegerField(help_text="the house's gateway to it")
    reserves = models.BooleanField(help_text="it can hold a trade's terms until it is asked to execute")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "code"], name="venue_once")]

    def __str__(self) -> str:
        return self.code


class Pool(models.Model):
    """A liquidity lane. Its reserves are ledger balances at `pools:{ledger_name}`, or an outside venue's own."""

    class Kind(models.TextChoices):
        CONSTANT_PRODUCT = "constant_product"
        OUTCOME = "outcome_market"
        """One outcome of a market; the market's two pools share one account."""
        OUTSIDE = "outside"
        """An outside venue executes its trades; its accounts are the venue's clearing accounts."""

    code = models.CharField(max_length=40, help_text="EUR-USDT")
    environment = models.CharField(max_length=4, choices=Environment.choices)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.CONSTANT_PRODUCT)
    market_code = models.CharField(max_length=30, default="", help_text="of an outcome's pool")
    venue = models.ForeignKey(Venue, on_delete=models.PROTECT, null=True, related_name="pools")
    cash_asset = models.CharField(max_length=20)
    position_asset = models.CharField(max_length=20)
    minimum_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="of a buy, in cash asset")
    maximum_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="of a buy, in cash asset")
    quote_lifetime_ms = models.PositiveIntegerField(default=30_000)
    open_reservations_cap = models.PositiveIntegerField(default=500, help_text="per operator")
    quote_margin_bps = models.PositiveSmallIntegerField(
        default=0,
        help_text="by how many basis points of its output a quote stays below the curve, so that it outlives others' orders",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "code"], name="pool_once"),
            models.CheckConstraint(
                condition=Q(kind="outside", venue__isnull=False) | (~Q(kind="outside") & Q(venue__isnull=True)),
                name="outside_pool_has_venue",
            ),
            models.CheckConstraint(
                condition=Q(kind="constant_product", quote_margin_bps__lte=1000) | Q(quote_margin_bps=0),
                name="pool_margin_is_a_makers",
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def ledger_name(self) -> str:
        """Return the name of its account: both outcomes of a market have one."""
        return self.market_code or self.code


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
