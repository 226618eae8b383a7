"""Review cases: the work items of what the automatic path gave up."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.environments import Environment


class ReviewCase(Stateful):
    """The work item of an order or intent in manual review."""

    MACHINE = "review_case"

    class State(models.TextChoices):
        OPEN = "open"
        ASSIGNED = "assigned"
        PROPOSED = "proposed"
        RESOLVED = "resolved"

    state = FSMField(choices=State.choices, default=State.OPEN, protected=True, max_length=40)
    subject = models.CharField(max_length=40, db_index=True, help_text="the order, intent or return")
    reason = models.CharField(max_length=40, help_text="debit_unknown, reverse_unknown, reverse_rejected, …")
    owner = models.CharField(max_length=150, default="")
    next_action = models.CharField(max_length=200)
    asset = models.CharField(max_length=20)
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0)
    due_at = models.DateTimeField(null=True, help_text="by its reason's SLA, from when it was opened")
    next_review_on = models.DateField(null=True, help_text="when its owner looks at it next, in its book's dates")
    resolution = models.CharField(max_length=40, default="")
    resolved_by = models.CharField(max_length=150, default="")
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject"], condition=~Q(state="resolved"), name="one_open_case")
        ]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=~Q(state="resolved"), name="review_queue"),
            models.Index(fields=["environment", "id"], name="review_of_environment"),
        ]

    @transition(field=state, source=[State.OPEN, State.PROPOSED], target=State.ASSIGNED)
    def assign(self) -> None:
        """A person took it (or a proposal was refused, or its order moved meanwhile)."""

    @transition(field=state, source=State.ASSIGNED, target=State.PROPOSED)
    def propose(self) -> None:
        """A resolution waits for a second person."""

    @transition(field=state, source=[State.OPEN, State.ASSIGNED, State.PROPOSED], target=State.RESOLVED)
    def resolve(self) -> None:
        """Its order has left manual review."""

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"review_case.{self.state}",
            public=False,
            payload={
                "review_case_id": self.reference,
                "subject": self.subject,
                "reason": self.reason,
                "owner": self.owner,
            },
        )


class ReviewNote(models.Model):
    """What a person wrote on a case. Append-only."""

    case_reference = models.CharField(max_length=40, db_index=True)
    author = models.CharField(max_length=150)
    text = models.TextField()
    written_at = models.DateTimeField()


class ApprovalThreshold(models.Model):
    """From this amount on, the resolution of a review takes two people. An asset without a row always does."""

    environment = models.CharField(max_length=4, choices=Environment.choices)
    asset = models.CharField(max_length=20)
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "asset"], name="approval_threshold_once")]
