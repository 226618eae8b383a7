"""Quotes: terms offered."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from ledger import assets
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful


class Quote(Stateful):
    """Terms offered. Immutable once accepted; expiry limits acceptance, not execution."""

    MACHINE = "quote"

    class State(models.TextChoices):
        ACTIVE = "active"
        ACCEPTED = "accepted"
        EXPIRED = "expired"
        CANCELLED = "cancelled"

    class Side(models.TextChoices):
        BUY = "buy"

    state = FSMField(choices=State.choices, default=State.ACTIVE, protected=True, max_length=40)
    pool_id = models.BigIntegerField()
    pool_code = models.CharField(max_length=40)
    side = models.CharField(max_length=10, choices=Side.choices)
    user_reference = models.CharField(max_length=64)
    source_asset = models.CharField(max_length=20, help_text="the wallet's asset")
    source_minor = models.DecimalField(
        max_digits=39, decimal_places=0, help_text="what the wallet is debited, with fees"
    )
    fee_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="all fee items, in the source asset")
    vat_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0)
    fee_items = models.JSONField(default=list, help_text="name, rule, version, fee and VAT, decimal strings")
    cash_asset = models.CharField(max_length=20)
    cash_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="what the pool takes")
    fx_rate = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    fx_source = models.CharField(max_length=60, default="")
    fx_observed_at = models.DateTimeField(null=True)
    target_asset = models.CharField(max_length=20)
    target_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="what the pool gives")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    order_reference = models.CharField(max_length=40, default="")

    class Meta:
        indexes = [
            models.Index(fields=["operator_id", "environment", "id"], name="quote_of_operator"),
            models.Index(fields=["expires_at"], condition=Q(state="active"), name="quote_expiring"),
        ]

    @transition(field=state, source=State.ACTIVE, target=State.ACCEPTED)
    def accept(self) -> None:
        """An order was submitted on these terms."""

    @transition(field=state, source=State.ACTIVE, target=State.EXPIRED)
    def expire(self) -> None:
        """Its time is over."""

    @transition(field=state, source=State.ACTIVE, target=State.CANCELLED)
    def cancel(self) -> None:
        """The operator took it back."""

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"quote.{self.state}",
            public=True,
            payload={
                "quote_id": self.reference,
                "pool_id": self.pool_code,
                "status": self.state,
                "source_asset": self.source_asset,
                "source_amount": assets.text(int(self.source_minor), self.source_asset),
                "target_asset": self.target_asset,
                "target_amount": assets.text(int(self.target_minor), self.target_asset),
                "order_id": self.order_reference or None,
            },
        )
