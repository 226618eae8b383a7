"""Returns: what comes after the end of an order or payout, which stays as it is."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from ledger import assets
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful


class Return(Stateful):
    """A settled trade taken back, a payout that came back, or a movement that turned up after its owner had ended otherwise.

    *Adjusted* books what happened against transit; *given back* moves it at the operator under the return's own key;
    *kept* leaves it for the net settlement. A payout's is booked against its wallet: adjusted is the end.
    """

    MACHINE = "return"

    class State(models.TextChoices):
        OPEN = "open"
        """Found; nobody has said yet whether it is so."""
        ADJUSTED = "adjusted"
        """Booked against transit; what becomes of it is to be decided."""
        DISMISSED = "dismissed"
        """A mistake; nothing was booked."""
        GIVEN_BACK = "given_back"
        """The operator's wallet confirmed the movement back."""
        KEPT = "kept"
        """Left for the net settlement with the operator."""

    EXECUTE = "execute"
    """The leg of a venue's late execution: nothing of the operator's moved."""

    class Kind(models.TextChoices):
        TRADE_RETURNED = "trade_returned"
        LATE_EFFECT = "late_effect"
        PAYOUT_RETURNED = "payout_returned"

    state = FSMField(choices=State.choices, default=State.OPEN, protected=True, max_length=40)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    order_reference = models.CharField(max_length=40, db_index=True, default="", help_text="empty: a payout's")
    intent_reference = models.CharField(max_length=40, db_index=True, default="", help_text="of a payout's return")
    trade_reference = models.CharField(max_length=40, default="", help_text="the trade that was taken back")
    operation_key = models.CharField(max_length=120, default="", help_text="the key whose effect came late")
    leg = models.CharField(max_length=10, help_text="the movement that does not belong: debit, credit, reverse, submit")
    user_reference = models.CharField(max_length=64)
    partner_order_id = models.CharField(max_length=80)
    asset = models.CharField(max_length=20, help_text="the wallet's asset")
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0)
    terms = models.JSONField(help_text="the accounts of its ledger lines")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["operation_key"], condition=~Q(operation_key=""), name="return_of_operation_once"
            ),
            models.UniqueConstraint(
                fields=["trade_reference"], condition=~Q(trade_reference=""), name="return_of_trade_once"
            ),
        ]
        indexes = [models.Index(fields=["state", "created_at"], name="return_queue")]

    @transition(field=state, source=State.OPEN, target=State.ADJUSTED)
    def adjust(self) -> None:
        """It is so: booked against transit."""

    @transition(field=state, source=State.OPEN, target=State.DISMISSED)
    def dismiss(self) -> None:
        """It is not so."""

    @transition(field=state, source=State.ADJUSTED, target=State.GIVEN_BACK)
    def give_back(self) -> None:
        """Confirmed at the operator under the return's own key."""

    @transition(field=state, source=State.ADJUSTED, target=State.KEPT)
    def keep(self) -> None:
        """Left for the net settlement."""

    @property
    def terminal(self) -> bool:
        if self.state == self.State.ADJUSTED:
            return bool(self.intent_reference)
        return self.state in (self.State.DISMISSED, self.State.GIVEN_BACK, self.State.KEPT)

    @property
    def gives_back_by(self) -> str:
        """The leg that undoes it at the operator: what was taken is credited, what was given is debited."""
        return "credit" if self.leg == "debit" else "debit"

    def announcement(self) -> Announcement | None:
        if self.intent_reference:
            return self._announced_payout()
        return Announcement(
            topic="order.returned",
            public=self.leg != self.EXECUTE,
            payload={
                "return_id": self.reference,
                "order_id": self.order_reference,
                "partner_order_id": self.partner_order_id,
                "transact_id": self.trade_reference or None,
                "kind": self.kind,
                "return_status": self.state,
                "asset": self.asset,
                "amount": assets.text(int(self.amount_minor), self.asset),
            },
        )

    def _announced_payout(self) -> Announcement:
        return Announcement(
            topic="payout.returned",
            public=True,
            payload={
                "return_id": self.reference,
                "intent_id": self.intent_reference,
                "partner_reference": self.partner_order_id or None,
                "kind": self.kind,
                "return_status": self.state,
                "asset": self.asset,
                "amount": assets.text(int(self.amount_minor), self.asset),
            },
        )
