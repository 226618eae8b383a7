"""What arrives: providers and their secrets, inbound events, what was refused, and what providers were booked for."""

from django.db import models
from django_fsm import FSMField, transition

from ledger.controls.encrypted_field import EncryptedField
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.environments import Environment


class Provider(models.Model):
    """Who may send us events, how they sign them, and where in their messages the ids are."""

    class Scheme(models.TextChoices):
        STANDARD = "standard-webhooks"
        """`webhook-id`, `webhook-timestamp`, `webhook-signature`; secrets are whsec_…"""
        HMAC_HEX = "hmac-sha256-hex"
        """One header with the hex HMAC-SHA256 of the raw body (with a timestamp header: of `timestamp.body`)."""
        HMAC_BASE64 = "hmac-sha256-base64"
        """The same in base64."""
        HMAC_TIMESTAMPED = "hmac-sha256-timestamped"
        """One header `t=…,v1=…`: the hex HMAC-SHA256 of `t.body`."""

    code = models.SlugField(max_length=60, unique=True, help_text="its path: /v1/inbox/{code}")
    environment = models.CharField(max_length=4, choices=Environment.choices)
    operator_id = models.BigIntegerField(null=True, help_text="whose provider it is; null: the house's")
    scheme = models.CharField(max_length=30, choices=Scheme.choices)
    signature_header = models.CharField(max_length=60, default="", blank=True, help_text="of the HMAC schemes")
    timestamp_header = models.CharField(max_length=60, default="", blank=True, help_text="of the plain HMAC schemes")
    tolerance_seconds = models.PositiveIntegerField(default=300)
    size_limit = models.PositiveIntegerField(default=65_536, help_text="bytes of a body")
    mapping = models.JSONField(
        default=dict, help_text="paths in the body: event_id, kind, transaction, subjects (a list), and fields by name"
    )
    kinds = models.JSONField(
        default=list, help_text="which kinds of news it may bring: payin.collected, a family as payin.*, or * for all"
    )
    created_at = models.DateTimeField()
    disabled_at = models.DateTimeField(null=True)
    disabled_reason = models.CharField(max_length=200, default="")

    def __str__(self) -> str:
        return self.code


class ProviderSecret(models.Model):
    """One secret of a provider. During a rotation two are valid: the older until `expires_at`."""

    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="secrets")
    secret = EncryptedField(help_text="encrypted at rest; shown once, never logged")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.provider_id} since {self.created_at:%Y-%m-%d}"


class InboundEvent(Stateful):
    """One event of a provider, stored as it arrived: its raw body is evidence and never changes."""

    MACHINE = "inbound_event"

    class State(models.TextChoices):
        RECEIVED = "received"
        """Verified, stored and answered; nobody has looked at it yet."""
        APPLIED = "applied"
        """It changed something, or made us look; `reason` says what."""
        IGNORED = "ignored"
        """Repeated, stale, illegal or nobody's; `reason` says why."""
        PARKED = "parked"
        """Too early, or held up: tried again later."""
        DEAD = "dead"
        """Given up after the last try; people may send it round again."""

    state = FSMField(choices=State.choices, default=State.RECEIVED, protected=True, max_length=40)
    provider_id = models.BigIntegerField()
    provider_code = models.CharField(max_length=60)
    provider_event_id = models.CharField(max_length=255)
    kind = models.CharField(max_length=100, default="")
    subjects = models.JSONField(default=list, help_text="the ids that it is about: quote, trade, operation key")
    provider_transaction = models.CharField(max_length=255, default="", help_text="the provider's own reference")
    body = models.BinaryField(help_text="the raw bytes that the signature covers")
    payload_reference = models.CharField(max_length=71, help_text="sha256: and the digest of the body")
    headers = models.JSONField(default=dict, help_text="those that are no secret")
    request_id = models.CharField(max_length=128)
    available_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0, help_text="tries that count towards the cap")
    reason = models.CharField(max_length=300, default="")
    judged_at = models.DateTimeField(null=True, help_text="when it was applied, ignored or given up")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider_id", "provider_event_id"], name="inbound_event_once"),
        ]
        indexes = [
            models.Index(
                fields=["available_at", "id"],
                condition=models.Q(state__in=["received", "parked"]),
                name="inbound_event_due",
            ),
            models.Index(fields=["judged_at"], condition=models.Q(state="dead"), name="inbound_event_dead"),
            models.Index(fields=["-created_at", "-id"], name="inbound_event_newest"),
            models.Index(
                fields=["provider_transaction"],
                condition=~models.Q(provider_transaction=""),
                name="inbound_event_of_theirs",
            ),
        ]

    @transition(field=state, source=[State.RECEIVED, State.PARKED], target=State.APPLIED)
    def apply(self) -> None:
        """A handler took it: a legal forward move, or a look at the truth."""

    @transition(field=state, source=[State.RECEIVED, State.PARKED], target=State.IGNORED)
    def ignore(self) -> None:
        """It changes nothing, and never will."""

    @transition(field=state, source=State.RECEIVED, target=State.PARKED)
    def park(self) -> None:
        """Not now."""

    @transition(field=state, source=[State.RECEIVED, State.PARKED], target=State.DEAD)
    def give_up(self) -> None:
        """Parked too often."""

    @transition(field=state, source=State.DEAD, target=State.RECEIVED)
    def replay(self) -> None:
        """A person sends it round again."""

    def announcement(self) -> Announcement | None:
        """Inbound events announce nothing: events about events would breed."""
        return None


class InboxCount(models.Model):
    """How many requests of a provider were refused or repeated on a day, by reason. All that is kept of them."""

    provider_code = models.CharField(max_length=60, help_text="empty: no provider that we know")
    reason = models.CharField(max_length=40)
    day = models.DateField()
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider_code", "reason", "day"], name="inbox_count_once"),
        ]

    def __str__(self) -> str:
        return f"{self.provider_code} {self.reason} {self.day}"


class ProviderTransaction(models.Model):
    """A provider's transaction that we have booked: at most once, under however many event ids it comes (rule I2)."""

    provider_id = models.BigIntegerField()
    reference = models.CharField(max_length=255)
    kind = models.CharField(max_length=60)
    event_reference = models.CharField(max_length=40, db_index=True, help_text="the inbound event that booked it")
    booked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider_id", "reference", "kind"], name="provider_transaction_once"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.kind}"
