"""Close runs, what their checks found, and the cases that people work."""

from typing import Any

from django.db import models
from django.db.models import F, Q
from django_fsm import FSMField, transition

from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.environments import Environment
from reconciliation.statement_models import StatementFile as StatementFile
from reconciliation.statement_models import StatementLine as StatementLine
from reconciliation.statement_models import StatementMatch as StatementMatch
from reconciliation.statement_models import StatementSource as StatementSource


def _nothing_blocks(close: Any) -> bool:
    """Rule C1: no check fails without an approved exception, and no exception lacks owner or next review date."""
    from reconciliation.checklist import checklist_of  # it reads the models of this module

    assert isinstance(close, CloseRun)
    return checklist_of(close).complete


def _approvable(case: Any) -> bool:
    """Rule C1: a ledger row without terminal trade cannot be approved."""
    from reconciliation.check_registry import is_approvable

    assert isinstance(case, ExceptionCase)
    return is_approvable(case.type)


class CloseRun(Stateful):
    """The close of one book and business date. A run of a day not yet over is provisional."""

    MACHINE = "close"

    class State(models.TextChoices):
        OPEN = "open"
        IN_REVIEW = "in_review"
        SIGNED = "signed"
        LOCKED = "locked"

    state = FSMField(choices=State.choices, default=State.OPEN, protected=True, max_length=40)
    business_date = models.DateField()
    window_from = models.DateTimeField()
    window_to = models.DateTimeField()
    provisional = models.BooleanField(default=True)
    runs = models.PositiveIntegerField(default=0)
    last_run_at = models.DateTimeField(null=True)
    available_at = models.DateTimeField(null=True, help_text="when it is due to run next; empty: nothing to do")
    seen_at = models.DateTimeField(null=True, help_text="when its last run began to look, by the database's clock")
    attempts = models.PositiveIntegerField(default=0, help_text="consecutive runs that raised a defect")
    last_error = models.CharField(max_length=300, default="")
    lease_until = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, default="")
    counts = models.JSONField(default=dict, help_text="records per kind, and breaks per check, of the last run")
    control_totals = models.JSONField(default=dict, help_text="per artifact, and the zero-sum per asset")
    step = models.CharField(max_length=80, default="", help_text="what its run is doing now; empty: no run")
    steps_done = models.PositiveSmallIntegerField(default=0)
    steps_planned = models.PositiveSmallIntegerField(default=0)
    ledger_block = models.BigIntegerField(null=True, help_text="the newest sealed block at its last run")
    ledger_root = models.CharField(max_length=64, default="")
    preparer = models.CharField(max_length=150, default="", help_text="who handed it to review")
    reviewer = models.CharField(max_length=150, null=True, help_text="who signed it: somebody else")
    movements_kept_at = models.DateTimeField(null=True, help_text="when what the locked date moved was written down")
    proof = models.JSONField(default=dict, help_text="of a close under review: what making its files again came to")
    files_asked_at = models.DateTimeField(
        null=True, help_text="when somebody asked for its files again; empty: nobody waits"
    )
    files_asked_by = models.CharField(max_length=150, default="")
    files_made_again = models.JSONField(
        default=dict, help_text="what that came to last: by whom, when, files or failure"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "business_date"], name="close_once"),
            models.CheckConstraint(
                condition=Q(reviewer__isnull=True) | ~Q(reviewer=F("preparer")), name="close_by_two_people"
            ),
        ]

    @transition(field=state, source=State.OPEN, target=State.IN_REVIEW, conditions=[_nothing_blocks])
    def submit(self) -> None:
        """Handed to the reviewer."""

    @transition(field=state, source=State.IN_REVIEW, target=State.SIGNED, conditions=[_nothing_blocks])
    def sign(self) -> None:
        """Signed by a second person."""

    @transition(field=state, source=State.SIGNED, target=State.LOCKED)
    def lock(self) -> None:
        """The period is locked."""

    @transition(field=state, source=[State.IN_REVIEW, State.SIGNED, State.LOCKED], target=State.OPEN)
    def reopen(self) -> None:
        """Opened again."""

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"close.{self.state}",
            public=self.state == self.State.SIGNED,
            payload={
                "close_id": self.reference,
                "business_date": self.business_date.isoformat(),
                "status": self.state,
                "ledger_block": self.ledger_block,
                "ledger_root": self.ledger_root,
            },
        )


class DayMovement(models.Model):
    """What a locked date moved on an account, so that a later date's balances are not summed from the beginning."""

    close_reference = models.CharField(max_length=40, db_index=True)
    book_id = models.SmallIntegerField()
    window_from = models.DateTimeField()
    window_to = models.DateTimeField()
    account_id = models.BigIntegerField()
    debits_posted = models.DecimalField(max_digits=39, decimal_places=0)
    credits_posted = models.DecimalField(max_digits=39, decimal_places=0)
    debits_pending = models.DecimalField(max_digits=39, decimal_places=0)
    credits_pending = models.DecimalField(max_digits=39, decimal_places=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["account_id", "close_reference"], name="day_movement_once"),
        ]

    def __str__(self) -> str:
        return f"{self.close_reference} {self.account_id}"


class CloseArtifact(models.Model):
    """One file of a close run: where it lies and what it holds."""

    close_reference = models.CharField(max_length=40, db_index=True)
    name = models.CharField(max_length=60)
    rows = models.PositiveIntegerField()
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    path = models.CharField(max_length=300, help_text="below the artifacts' folder")
    made_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["close_reference", "name"], name="close_artifact_once")]


class ExceptionCase(Stateful):
    """A break with an owner and a next action. Healed when a later run no longer finds it."""

    MACHINE = "exception_case"

    class State(models.TextChoices):
        OPEN = "open"
        ASSIGNED = "assigned"
        RESOLVED = "resolved"
        APPROVED = "approved"

    state = FSMField(choices=State.choices, default=State.OPEN, protected=True, max_length=40)
    type = models.CharField(max_length=40, help_text="the check's name: missing_trade")
    subject = models.CharField(max_length=80, help_text="the reference of the record that breaks")
    order_reference = models.CharField(max_length=40, default="", db_index=True)
    business_date = models.DateField()
    detail = models.JSONField(default=dict)
    asset = models.CharField(max_length=20, default="")
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0, help_text="amount at risk")
    owner = models.CharField(max_length=150, default="")
    next_review_on = models.DateField(null=True)
    first_action = models.CharField(max_length=300)
    last_seen_at = models.DateTimeField()
    resolution = models.CharField(max_length=200, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["environment", "type", "subject"],
                name="exception_once",
            )
        ]
        indexes = [
            models.Index(fields=["state", "next_review_on"], condition=~Q(state="resolved"), name="exception_queue")
        ]

    @transition(field=state, source=[State.OPEN, State.ASSIGNED], target=State.ASSIGNED)
    def assign(self) -> None:
        """A person and a next review date were named (again)."""

    @transition(field=state, source=[State.OPEN, State.ASSIGNED, State.APPROVED], target=State.RESOLVED)
    def resolve(self) -> None:
        """A later run no longer finds the break."""

    @transition(field=state, source=State.ASSIGNED, target=State.APPROVED, conditions=[_approvable])
    def approve(self) -> None:
        """A second person accepted it with a reason."""

    @transition(field=state, source=[State.RESOLVED, State.APPROVED], target=State.OPEN)
    def reopen(self) -> None:
        """Found again, or what was approved has changed."""

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"exception_case.{self.state}",
            public=False,
            payload={"exception_id": self.reference, "type": self.type, "subject": self.subject, "owner": self.owner},
        )


class ExceptionNote(models.Model):
    """What a person wrote on a case. Append-only."""

    case_reference = models.CharField(max_length=40, db_index=True)
    author = models.CharField(max_length=150)
    text = models.TextField()
    written_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.case_reference} {self.author}"


class CloseFinding(models.Model):
    """An exception case as the last run of a close left it: found by that run, or of its date and healed.

    Written anew by each run, and kept as it is once the close is under review: what was signed does not change when its
    case does.
    """

    close_reference = models.CharField(max_length=40)
    case_reference = models.CharField(max_length=40, db_index=True)
    found = models.BooleanField(help_text="by this run; else it has healed")
    type = models.CharField(max_length=40)
    subject = models.CharField(max_length=80)
    order_reference = models.CharField(max_length=40)
    state = models.CharField(max_length=40)
    owner = models.CharField(max_length=150)
    next_review_on = models.DateField(null=True)
    asset = models.CharField(max_length=20)
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0)
    first_action = models.CharField(max_length=300)
    reason = models.CharField(max_length=200)
    resolution = models.CharField(max_length=200)
    opened_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["close_reference", "case_reference"], name="finding_once")]
        indexes = [models.Index(fields=["order_reference"], name="finding_by_order")]

    def __str__(self) -> str:
        return f"{self.close_reference} {self.case_reference}"


class CloseSignature(models.Model):
    """Who signed which files of a close, as whom. Append-only: a close that is opened again keeps its old signatures."""

    class Role(models.TextChoices):
        PREPARER = "preparer"
        REVIEWER = "reviewer"

    close_reference = models.CharField(max_length=40, db_index=True)
    role = models.CharField(max_length=10, choices=Role.choices)
    person = models.CharField(max_length=150)
    comment = models.CharField(max_length=500)
    run = models.PositiveIntegerField(help_text="of the close: its files are those of this run")
    files = models.JSONField(help_text="SHA-256 of each file")
    ledger_block = models.BigIntegerField(null=True)
    ledger_root = models.CharField(max_length=64)
    signed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.close_reference} {self.role} {self.person}"


class CloseDownload(models.Model):
    """Who took which files of a close away, in the console or over REST. Append-only."""

    close_reference = models.CharField(max_length=40, db_index=True)
    name = models.CharField(max_length=120, help_text="of the file, or of the ZIP of all")
    actor = models.CharField(max_length=150)
    api_key_id = models.BigIntegerField(null=True, help_text="over REST: the key")
    downloaded_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.close_reference} {self.name} {self.actor}"


class Notice(models.Model):
    """What people must hear of without looking, once: unique per kind and subject."""

    class Kind(models.TextChoices):
        OPEN_REVIEW = "open_review", "Manual review is open"
        REVIEW_OVERDUE = "review_overdue", "A manual review is overdue"
        LATE_CLOSE = "late_close", "A close is late"
        REVIEW_DATE_PASSED = "review_date_passed", "A review date has passed"
        BREAK_RATE = "break_rate", "Many breaks"
        ENDPOINT_DISABLED = "endpoint_disabled", "A webhook endpoint was disabled"
        FEE_RULE_FAILED = "fee_rule_failed", "A fee rule's condition failed"
        CLOSED_WALLET_MOVED = "closed_wallet_moved", "A closed wallet has money"

    environment = models.CharField(max_length=4, choices=Environment.choices)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    subject = models.CharField(max_length=80, help_text="the case or close")
    text = models.CharField(max_length=500)
    raised_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True, help_text="by e-mail; the webhook may still be tried")
    sent_at = models.DateTimeField(null=True)
    available_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, default="")
    last_error = models.CharField(max_length=100, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["kind", "subject"], name="notice_once")]
        indexes = [models.Index(fields=["available_at"], condition=Q(sent_at__isnull=True), name="notice_unsent")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
