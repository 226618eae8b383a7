"""The work rows of sagas, and freezes."""

from django.db import models
from django.db.models import Q

from ledger.environments import Environment


class SagaRun(models.Model):
    """The work row of a saga. Its subject's state is the program counter; this says when and who."""

    subject = models.CharField(
        max_length=40, unique=True, help_text="what it advances: an order, return, trade, intent, payout"
    )
    environment = models.CharField(max_length=4, choices=Environment.choices)
    available_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0, help_text="consecutive advances that raised a defect")
    lease_until = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, default="")
    last_error = models.CharField(max_length=300, default="")
    news = models.PositiveIntegerField(
        default=0, help_text="how often the other side has said that something is new since it was last looked up"
    )

    class Meta:
        indexes = [models.Index(fields=["available_at"], name="saga_due")]

    def __str__(self) -> str:
        return self.subject


class Freeze(models.Model):
    """An order with a row here without `lifted_at` is not advanced: no step, no ask; lookups go on."""

    subject = models.CharField(max_length=40, db_index=True)
    reason = models.CharField(max_length=200)
    frozen_by = models.CharField(max_length=150)
    frozen_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=150, default="")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject"], condition=Q(lifted_at__isnull=True), name="frozen_once")
        ]

    def __str__(self) -> str:
        return self.subject
