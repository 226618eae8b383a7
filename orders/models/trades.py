"""Trades: the venue's execution of an order."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from ledger.controls.events import Announcement
from ledger.controls.states import Stateful


class Trade(Stateful):
    """The venue's execution of an order. Its reference is the seed's transact id."""

    MACHINE = "trade"

    class State(models.TextChoices):
        RESERVED = "reserved"
        SETTLED = "settled"
        FAILED = "failed"
        """The venue surely did not and will not."""
        RELEASED = "released"
        """The hold was given back: the debit was declined or absent, or the venue gave its reservation back."""
        RETURNED = "returned"

    state = FSMField(choices=State.choices, default=State.RESERVED, protected=True, max_length=40)
    order_reference = models.CharField(max_length=40, db_index=True)
    quote_reference = models.CharField(max_length=40, db_index=True)
    pool_id = models.BigIntegerField()
    pool_code = models.CharField(max_length=40)
    idempotency_key = models.CharField(max_length=255, help_text="of the order's acceptance")
    hold_key = models.CharField(max_length=120, help_text="the ledger key of its reservation")
    terms = models.JSONField(help_text="the amounts and accounts of its ledger lines, minor units as strings")
    retry_of = models.CharField(
        max_length=40, default="", help_text="the released trade that this one tries once more, under the same order"
    )
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order_reference"], condition=~Q(retry_of=""), name="trade_retried_once")
        ]
        indexes = [
            models.Index(fields=["pool_id", "operator_id"], condition=Q(state="reserved"), name="trade_reserved"),
            models.Index(fields=["environment", "created_at"], name="trade_window"),
        ]

    @transition(field=state, source=State.RESERVED, target=State.SETTLED)
    def settle(self) -> None:
        """The hold is posted."""

    @transition(field=state, source=State.RESERVED, target=State.FAILED)
    def fail(self) -> None:
        """The venue refused; the hold is voided."""

    @transition(field=state, source=State.RESERVED, target=State.RELEASED)
    def release(self) -> None:
        """The debit did not happen; the hold is voided."""

    @transition(field=state, source=State.SETTLED, target=State.RETURNED)
    def take_back(self) -> None:
        """The venue took a settled trade back; adjusted, never edited."""

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"trade.{self.state}",
            public=True,
            payload={
                "transact_id": self.reference,
                "order_id": self.order_reference,
                "quote_id": self.quote_reference,
                "pool_id": self.pool_code,
                "status": self.state,
                "retry_of": self.retry_of or None,
            },
        )
