"""Pay-ins: one row per transaction of a provider that was booked. Born booked; never changed."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField

from ledger import assets
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful


class PayIn(Stateful):
    """A collection, or the refund or chargeback of one, as its provider told it and as we booked it."""

    MACHINE = "pay_in"

    class State(models.TextChoices):
        BOOKED = "booked"
        """In the book, in one balanced transaction, since the moment it exists."""

    class Kind(models.TextChoices):
        COLLECTED = "collected"
        REFUNDED = "refunded"
        CHARGED_BACK = "charged_back"

    state = FSMField(choices=State.choices, default=State.BOOKED, protected=True, max_length=40)
    kind = models.CharField(max_length=16, choices=Kind.choices)
    wallet = models.CharField(max_length=40, help_text="whose money it is")
    provider_id = models.BigIntegerField()
    provider_code = models.CharField(max_length=60)
    provider_transaction = models.CharField(max_length=255, help_text="the provider's own reference")
    collection = models.CharField(max_length=40, default="", db_index=True, help_text="what is given or taken back")
    inbound_event = models.CharField(max_length=40, help_text="the event that told us first")
    asset = models.CharField(max_length=20)
    gross_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="what the provider moved")
    fee_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0, help_text="ours, without VAT")
    vat_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0)
    fee_items = models.JSONField(default=list, help_text="each item with its rule and version")
    occurred_at = models.DateTimeField(help_text="as the provider says, if credible; else when we were told")
    occurred_said = models.CharField(max_length=64, default="", help_text="when, in the provider's own words")
    request_id = models.CharField(max_length=128, default="")

    class Meta:
        verbose_name = "pay-in"
        verbose_name_plural = "pay-ins"
        constraints = [
            models.UniqueConstraint(fields=["provider_id", "provider_transaction", "kind"], name="pay_in_once"),
            models.CheckConstraint(condition=Q(gross_minor__gt=0), name="pay_in_of_something"),
        ]
        indexes = [
            models.Index(fields=["operator_id", "environment", "-id"], name="pay_in_list"),
            models.Index(fields=["wallet", "-id"], name="pay_in_of_wallet"),
        ]

    @property
    def net_minor(self) -> int:
        """What the wallet gains (of a collection) or loses, in minor units, always positive."""
        costs = int(self.fee_minor) + int(self.vat_minor)
        return int(self.gross_minor) - costs if self.kind == self.Kind.COLLECTED else int(self.gross_minor) + costs

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"payin.{self.kind}",
            public=True,
            payload={
                "payin_id": self.reference,
                "kind": self.kind,
                "wallet_id": self.wallet,
                "collection_id": self.collection or None,
                "provider_transaction": self.provider_transaction,
                "asset": self.asset,
                "gross": assets.text(int(self.gross_minor), self.asset),
                "fee": assets.text(int(self.fee_minor), self.asset),
                "vat": assets.text(int(self.vat_minor), self.asset),
                "net": assets.text(self.net_minor, self.asset),
            },
        )
