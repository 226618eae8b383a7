"""What the status poller found waiting with nobody to drive it."""

from django.db import models

from ledger.environments import Environment


class StaleFinding(models.Model):
    """A subject that waited in a state without a work row that would drive it: when, how often, what was done.

    The row stays when the subject has gone on: finding something at all is worth a question. It is also the poller's
    memory, so that what cannot be driven is tried ever less often.
    """

    class Kind(models.TextChoices):
        ORDER = "order"
        RETURN = "return"
        OPERATION = "remote operation"
        TRADE = "trade"
        HOLD = "hold"
        INTENT = "intent"
        PAYOUT = "payout"

    subject = models.CharField(max_length=120, unique=True, help_text="a reference, or a remote operation's key")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    environment = models.CharField(max_length=4, choices=Environment.choices)
    state = models.CharField(max_length=40, help_text="the state that it waited in")
    done = models.CharField(max_length=80, help_text="what the poller did about it")
    times = models.PositiveIntegerField(default=1)
    first_found_at = models.DateTimeField()
    last_found_at = models.DateTimeField()
    again_at = models.DateTimeField(help_text="in the same state it is looked at again from then on")

    class Meta:
        indexes = [models.Index(fields=["kind", "last_found_at"], name="stale_found")]

    def __str__(self) -> str:
        return self.subject
