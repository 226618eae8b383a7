"""Payouts: walletflow's machine, one row under its intent; the row is the saga's program counter."""

from typing import Final

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from ledger.controls.events import Announcement
from ledger.controls.states import Stateful

SAGA_REQUESTED: Final = "payout.saga_requested"
"""walletflow's PAYOUT_SAGA_REQUESTED: recorded with the hold; whoever hears it starts the saga, once."""


class Payout(Stateful):
    """Drives held money out, and never retries an ambiguous submission as a fresh payout (walletflow)."""

    MACHINE = "payout"

    class State(models.TextChoices):
        RESERVED = "reserved"
        SUBMITTING = "submitting"
        WAITING = "waiting"
        """Unknown or pending: the backoff runs."""
        REQUERYING = "requerying"
        SETTLING = "settling"
        RELEASING = "releasing"
        DEAD_LETTER = "dead_letter"
        MANUAL_REVIEW = "manual_review"
        COMPLETE = "complete"

    state = FSMField(choices=State.choices, default=State.RESERVED, protected=True, max_length=40)
    intent_reference = models.CharField(max_length=40, unique=True, help_text="already started is success")
    gateway_id = models.BigIntegerField()
    asset = models.CharField(max_length=20)
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0)
    requeries = models.PositiveSmallIntegerField(default=0)
    next_requery_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["state", "updated_at"], condition=~Q(state="complete"), name="payout_in_flight")
        ]

    @transition(field=state, source=State.RESERVED, target=State.SUBMITTING)
    def submit(self) -> None:
        """PAYOUT_SAGA_REQUESTED was taken up."""

    @transition(field=state, source=[State.SUBMITTING, State.REQUERYING], target=State.WAITING)
    def wait(self) -> None:
        """Unknown or pending: ask again later what became of it."""

    @transition(field=state, source=State.WAITING, target=State.REQUERYING)
    def requery(self) -> None:
        """The backoff is due."""

    @transition(field=state, source=[State.SUBMITTING, State.REQUERYING, State.MANUAL_REVIEW], target=State.SETTLING)
    def confirm(self) -> None:
        """The bank did it."""

    @transition(field=state, source=[State.SUBMITTING, State.REQUERYING, State.MANUAL_REVIEW], target=State.RELEASING)
    def reject(self) -> None:
        """The bank surely did not."""

    @transition(field=state, source=State.REQUERYING, target=State.DEAD_LETTER)
    def give_up(self) -> None:
        """The requery cap is reached."""

    @transition(field=state, source=[State.DEAD_LETTER, State.SETTLING, State.RELEASING], target=State.MANUAL_REVIEW)
    def stop_for_review(self) -> None:
        """A case is open: the cap is reached, or the hold has ended otherwise than the bank says."""

    @transition(field=state, source=[State.SETTLING, State.RELEASING], target=State.COMPLETE)
    def complete(self) -> None:
        """The hold is posted, or voided."""

    @property
    def hold_key(self) -> str:
        """The ledger key of its hold: amount, fees, VAT and network fee, with timeout 0."""
        return f"{self.reference}:reserve"

    @property
    def terminal(self) -> bool:
        return bool(self.state == self.State.COMPLETE)

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=SAGA_REQUESTED if self.state == self.State.RESERVED else f"payout.{self.state}",
            public=False,
            payload={"payout_id": self.reference, "intent_id": self.intent_reference, "state": self.state},
        )
