"""Quotes: terms offered."""

from decimal import Decimal
from typing import Protocol

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from ledger import assets
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.money import Money


class Terms(Protocol):
    """What quotes and orders share: what is given for what."""

    side: str
    source_asset: str
    source_minor: Decimal
    target_asset: str
    target_minor: Decimal


def wallet_side(terms: Terms) -> Money:
    """Return what the operator's wallet gives in a buy, or gets in a sell."""
    if terms.side == Quote.Side.BUY:
        return Money(int(terms.source_minor), terms.source_asset)
    return Money(int(terms.target_minor), terms.target_asset)


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
        SELL = "sell"
        REDEMPTION = "redemption"

    state = FSMField(choices=State.choices, default=State.ACTIVE, protected=True, max_length=40)
    pool_id = models.BigIntegerField()
    pool_code = models.CharField(max_length=40)
    side = models.CharField(max_length=10, choices=Side.choices)
    user_reference = models.CharField(max_length=64)
    source_asset = models.CharField(max_length=20, help_text="a buy: the wallet's asset; a sell: the position's")
    source_minor = models.DecimalField(
        max_digits=39,
        decimal_places=0,
        help_text="a buy: what the wallet is debited, with fees; a sell: what of the position is given",
    )
    fee_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="all fee items, in the wallet's asset")
    vat_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0)
    fee_items = models.JSONField(default=list, help_text="name, rule, version, fee and VAT, decimal strings")
    cash_asset = models.CharField(max_length=20)
    cash_minor = models.DecimalField(
        max_digits=39, decimal_places=0, help_text="a buy: what the pool takes; a sell: the proceeds in credits"
    )
    fx_rate = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    fx_source = models.CharField(max_length=60, default="")
    fx_observed_at = models.DateTimeField(null=True)
    target_asset = models.CharField(max_length=20)
    target_minor = models.DecimalField(
        max_digits=39, decimal_places=0, help_text="a buy: what the pool gives; a sell: the payout amount, less fees"
    )
    venue_quote_id = models.CharField(max_length=120, default="", help_text="the outside venue's id of its price")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    order_reference = models.CharField(max_length=40, default="")

    class Meta:
        indexes = [
            models.Index(fields=["operator_id", "environment", "id"], name="quote_of_operator"),
            models.Index(fields=["expires_at"], condition=Q(state="active"), name="quote_expiring"),
            models.Index(fields=["user_reference"], name="quote_by_user"),
            models.Index(fields=["order_reference"], condition=~Q(order_reference=""), name="quote_by_order"),
            models.Index(fields=["venue_quote_id"], condition=~Q(venue_quote_id=""), name="quote_by_venue_quote"),
        ]

    @property
    def wallet_amount(self) -> Money:
        """Return what the operator's wallet is debited or credited."""
        return wallet_side(self)

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
