"""Endpoints, deliveries, attempts, and the feed: what leaves. What arrives stands in `inbox_models`."""

from django.db import models
from django_fsm import FSMField, transition

from ledger.controls.encrypted_field import EncryptedField
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.environments import Environment
from webhooks.inbox_models import InboundEvent as InboundEvent
from webhooks.inbox_models import InboxCount as InboxCount
from webhooks.inbox_models import Provider as Provider
from webhooks.inbox_models import ProviderSecret as ProviderSecret
from webhooks.inbox_models import ProviderTransaction as ProviderTransaction


class Endpoint(models.Model):
    """Where an operator's events go. `topics` is empty for all public ones; `order.*` takes a family."""

    class Kind(models.TextChoices):
        HTTP = "http"
        """Signed requests to a URL."""
        SNS = "sns"
        """Messages to an Amazon SNS topic: `url` is its ARN."""

    reference = models.CharField(max_length=40, unique=True)
    operator_id = models.BigIntegerField(db_index=True)
    environment = models.CharField(max_length=4, choices=Environment.choices)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.HTTP)
    url = models.CharField(max_length=500)
    topics = models.JSONField(default=list)
    secret = EncryptedField(help_text="whsec_…; encrypted at rest; never shown after creation, never logged")
    description = models.CharField(max_length=200, default="", blank=True)
    created_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=200, default="")
    failing_since = models.DateTimeField(null=True, help_text="the first failure after the last success")

    def __str__(self) -> str:
        return self.reference


class Delivery(Stateful):
    """One event on its way to one endpoint. A resend is a new delivery.

    Deliveries of one endpoint and aggregate are a *lane*: they are sent in sequence.
    """

    MACHINE = "delivery"

    class State(models.TextChoices):
        PENDING = "pending"
        """Waiting for its (next) attempt."""
        DELIVERED = "delivered"
        """The endpoint answered 2xx."""
        DEAD = "dead"
        """Given up after the last attempt, or its endpoint was disabled."""

    state = FSMField(choices=State.choices, default=State.PENDING, protected=True, max_length=40)
    endpoint_id = models.BigIntegerField()
    event_id = models.BigIntegerField(db_index=True)
    event_reference = models.CharField(max_length=40, help_text="the webhook-id, stable over attempts")
    topic = models.CharField(max_length=60)
    aggregate = models.CharField(max_length=40)
    sequence = models.PositiveIntegerField()
    attempts = models.PositiveSmallIntegerField(default=0, help_text="claims so far, the present one included")
    available_at = models.DateTimeField(help_text="while leased: the end of the lease")
    lease_until = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, default="")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["endpoint_id", "available_at"], condition=models.Q(state="pending"), name="delivery_due"
            ),
            models.Index(
                fields=["endpoint_id", "aggregate", "sequence"],
                condition=models.Q(state="pending"),
                name="delivery_in_sequence",
            ),
            models.Index(
                fields=["endpoint_id"],
                condition=models.Q(state="pending") & ~models.Q(lease_token=""),
                name="delivery_leased",
            ),
            models.Index(fields=["ended_at"], condition=models.Q(state="dead"), name="delivery_dead"),
            models.Index(fields=["endpoint_id", "id"], name="delivery_of_endpoint"),
        ]

    @transition(field=state, source=State.PENDING, target=State.DELIVERED)
    def deliver(self) -> None:
        """The endpoint answered 2xx."""

    @transition(field=state, source=State.PENDING, target=State.DEAD)
    def give_up(self) -> None:
        """No attempt is left, or the endpoint is disabled."""

    def announcement(self) -> Announcement | None:
        """Deliveries announce nothing: events about deliveries would breed."""
        return None


class DeliveryAttempt(models.Model):
    """One request to an endpoint and what came back."""

    delivery_id = models.BigIntegerField(db_index=True)
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    http_status = models.PositiveSmallIntegerField(null=True)
    failure = models.CharField(max_length=200, default="")
    excerpt = models.CharField(max_length=500, default="", help_text="the beginning of the answer, redacted")
    request_id = models.CharField(max_length=128, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["delivery_id", "number"], name="delivery_attempt_once")]

    def __str__(self) -> str:
        return f"{self.delivery_id} attempt {self.number}"


class FeedEntry(models.Model):
    """A public event's place in its operator's feed.

    Places are given by the relay under one lock that is held until its commit, so that they become visible in
    order: a reader who goes on after the last place it saw misses nothing. Event ids do not have that property.
    """

    position = models.BigAutoField(primary_key=True)
    event_id = models.BigIntegerField(unique=True)
    operator_id = models.BigIntegerField()
    environment = models.CharField(max_length=4, choices=Environment.choices)

    class Meta:
        indexes = [models.Index(fields=["operator_id", "environment", "position"], name="feed_of_operator")]

    def __str__(self) -> str:
        return str(self.position)


class RetiredSecret(models.Model):
    """A secret that was rotated out: it signs beside the present one until it ends, then it is deleted."""

    endpoint_id = models.BigIntegerField(db_index=True)
    secret = EncryptedField(help_text="whsec_…; encrypted at rest; never shown, never logged")
    retired_at = models.DateTimeField()
    ends_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.endpoint_id} until {self.ends_at}"


class Notice(models.Model):
    """An endpoint was disabled by what it answered: somebody has to look. Settled when it is enabled again."""

    environment = models.CharField(max_length=4, choices=Environment.choices)
    operator_id = models.BigIntegerField()
    endpoint_reference = models.CharField(max_length=40, db_index=True)
    reason = models.CharField(max_length=200)
    noticed_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)
    settled_by = models.CharField(max_length=150, default="")

    class Meta:
        indexes = [
            models.Index(fields=["noticed_at"], condition=models.Q(settled_at__isnull=True), name="notice_open"),
        ]

    def __str__(self) -> str:
        return f"{self.endpoint_reference}: {self.reason}"
