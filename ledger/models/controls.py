from django.db import models
from django.db.models import F, Q

from ledger.environments import Environment


class Claim(models.Model):
    """One `Idempotency-Key` of one operator and environment: one effect and one answer, kept for ever."""

    id = models.BigAutoField(primary_key=True)
    operator_id = models.BigIntegerField()
    environment = models.CharField(max_length=4, choices=Environment.choices)
    key = models.CharField(max_length=255)
    digest = models.CharField(max_length=64, help_text="SHA-256 of method, path with query, and body")
    route = models.CharField(max_length=200)
    request_id = models.CharField(max_length=128)
    anchor = models.CharField(max_length=64, default="", help_text="what a replay goes on from, before the answer")
    answer_status = models.PositiveSmallIntegerField(null=True)
    answer_body = models.BinaryField(null=True)
    answer_headers = models.JSONField(default=dict)
    claimed_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operator_id", "environment", "key"], name="claim_key_once"),
        ]

    def __str__(self) -> str:
        return self.key


class Approval(models.Model):
    """A proposal of one person (maker), decided by another (checker), bound to a version of its subject (H1)."""

    class Decision(models.TextChoices):
        PROPOSED = "proposed"
        APPROVED = "approved"
        REFUSED = "refused"
        WITHDRAWN = "withdrawn"

    reference = models.CharField(max_length=40, unique=True)
    environment = models.CharField(max_length=4, choices=Environment.choices)
    kind = models.CharField(max_length=60)
    subject = models.CharField(max_length=40, db_index=True)
    subject_version = models.PositiveIntegerField()
    content = models.JSONField(default=dict)
    reason = models.TextField()
    decision = models.CharField(max_length=10, choices=Decision.choices, default=Decision.PROPOSED)
    decision_reason = models.TextField(default="")
    maker = models.CharField(max_length=150)
    checker = models.CharField(max_length=150, null=True)
    proposed_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(decision="approved") | (Q(checker__isnull=False) & ~Q(checker=F("maker"))),
                name="approval_by_two_people",
            ),
            models.UniqueConstraint(
                fields=["subject"], condition=Q(decision="proposed"), name="approval_one_open_per_subject"
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class Move(models.Model):
    """One actual change of a state, with its audit. Never changed, never deleted."""

    id = models.BigAutoField(primary_key=True)
    environment = models.CharField(max_length=4)
    operator_id = models.BigIntegerField(null=True)
    machine = models.CharField(max_length=30)
    subject = models.CharField(max_length=40)
    sequence = models.PositiveIntegerField()
    from_state = models.CharField(max_length=40, help_text="empty for a birth")
    to_state = models.CharField(max_length=40)
    actor = models.CharField(max_length=150)
    cause = models.CharField(max_length=200)
    evidence = models.JSONField(null=True)
    request_id = models.CharField(max_length=128)
    event_reference = models.CharField(max_length=128, help_text="the inbound event that caused it, or empty")
    moved_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["subject", "sequence"], name="move_sequence_once")]
        indexes = [models.Index(fields=["environment", "machine", "moved_at"], name="move_window")]

    def __str__(self) -> str:
        return f"{self.subject} {self.from_state}→{self.to_state}"


class Event(models.Model):
    """What happened, recorded in the transaction that caused it. Never changed, never deleted."""

    id = models.BigAutoField(primary_key=True)
    reference = models.CharField(max_length=40, unique=True)
    environment = models.CharField(max_length=4)
    operator_id = models.BigIntegerField(null=True)
    topic = models.CharField(max_length=60)
    aggregate = models.CharField(max_length=40)
    sequence = models.PositiveIntegerField()
    payload = models.JSONField()
    public = models.BooleanField(help_text="may leave to the operator's endpoints")
    request_id = models.CharField(max_length=128)
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["aggregate", "sequence"], name="event_sequence_once")]
        indexes = [
            models.Index(fields=["operator_id", "environment", "id"], name="event_feed"),
            models.Index(fields=["environment", "recorded_at"], name="event_window"),
        ]

    def __str__(self) -> str:
        return self.reference


class ArchivedEvent(models.Model):
    """An event of a locked day, moved here by age: the same row, out of the way. The view `ledger_event_ever` has both."""

    id = models.BigIntegerField(primary_key=True)
    reference = models.CharField(max_length=40, unique=True)
    environment = models.CharField(max_length=4)
    operator_id = models.BigIntegerField(null=True)
    topic = models.CharField(max_length=60)
    aggregate = models.CharField(max_length=40)
    sequence = models.PositiveIntegerField()
    payload = models.JSONField()
    public = models.BooleanField()
    request_id = models.CharField(max_length=128)
    recorded_at = models.DateTimeField()
    archived_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["aggregate", "sequence"], name="archived_event_sequence_once")]
        indexes = [models.Index(fields=["environment", "recorded_at"], name="archived_event_window")]

    def __str__(self) -> str:
        return self.reference


class QueuedEvent(models.Model):
    """An event that the relay has not yet passed on. The relay deletes it."""

    event = models.OneToOneField(Event, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False)
    aggregate = models.CharField(max_length=40)
    sequence = models.PositiveIntegerField()
    available_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.TextField(default="")
    dead_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["available_at"], condition=Q(dead_at__isnull=True), name="queued_event_due"),
            models.Index(fields=["aggregate", "sequence"], name="queued_event_aggregate"),
        ]

    def __str__(self) -> str:
        return f"{self.aggregate} {self.sequence}"


class LegalMove(models.Model):
    """One edge of one machine. `from_state` is empty for the birth. Filled from the FSMs by `reference_rows`."""

    id = models.AutoField(primary_key=True)
    machine = models.CharField(max_length=30)
    from_state = models.CharField(max_length=40)
    to_state = models.CharField(max_length=40)

    class Meta:
        db_table = "legal_move"
        constraints = [models.UniqueConstraint(fields=["machine", "from_state", "to_state"], name="legal_move_once")]

    def __str__(self) -> str:
        return f"{self.machine}: {self.from_state}→{self.to_state}"
