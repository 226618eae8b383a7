"""Operators and their keys, gateways, rates, and everything asked of money held elsewhere; rules and wallets beside."""

from django.core.validators import MinValueValidator
from django.db import models
from django_fsm import FSMField, transition

from ledger.controls.encrypted_field import EncryptedField
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.environments import Environment
from wallets.rule_models import FeeRule as FeeRule
from wallets.rule_models import LimitRule as LimitRule
from wallets.rule_models import LimitUsage as LimitUsage
from wallets.rule_models import RuleFailure as RuleFailure
from wallets.wallet_models import Wallet as Wallet
from wallets.wallet_models import WalletAsset as WalletAsset
from wallets.wallet_models import WalletFreeze as WalletFreeze
from wallets.wallet_models import WalletReopening as WalletReopening


class Operator(models.Model):
    """A partner whose server calls us, or the house itself (the platform's own servers)."""

    class Kind(models.TextChoices):
        OPERATOR = "operator"
        HOUSE = "house"

    reference = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=40, unique=True, help_text="part of its account addresses; never changes")
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.OPERATOR)
    zone = models.CharField(max_length=64, default="UTC")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class OperatorKey(models.Model):
    """An API key. Only its hash is stored; the key itself is shown once, when it is made."""

    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="keys")
    environment = models.CharField(max_length=4, choices=Environment.choices)
    label = models.CharField(max_length=80)
    hint = models.CharField(max_length=20, help_text="hf_test_ and the first four characters")
    key_hash = models.CharField(max_length=64, unique=True, help_text="SHA-256; the key has 256 bits of randomness")
    scopes = models.JSONField(default=list)
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.hint}… ({self.label})"


class ApiRequest(models.Model):
    """The request log: one row per authenticated API request, without bodies."""

    class Replay(models.TextChoices):
        NONE = "none"
        """The route takes no key."""
        FIRST = "first"
        REPLAY = "replay"
        CONFLICT = "conflict"

    id = models.BigAutoField(primary_key=True)
    request_id = models.CharField(max_length=128, db_index=True)
    operator_id = models.BigIntegerField()
    environment = models.CharField(max_length=4, choices=Environment.choices)
    key_id = models.BigIntegerField()
    method = models.CharField(max_length=7)
    route = models.CharField(max_length=200)
    subject = models.CharField(max_length=40, default="", db_index=True, help_text="the reference that it was about")
    idempotency_key = models.CharField(max_length=255, default="")
    replay = models.CharField(max_length=8, choices=Replay.choices, default=Replay.NONE)
    status = models.PositiveSmallIntegerField()
    duration_ms = models.PositiveIntegerField()
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["operator_id", "environment", "idempotency_key"], name="api_request_key")]

    def __str__(self) -> str:
        return self.request_id


class Gateway(models.Model):
    """A door to money held elsewhere in one environment. `adapter` names a setting's entry.

    Channel "wallet" is the operator's own wallet service. The other channels are the house's: venues, and those that
    pay out, whose row serves every operator that has none of its own.
    """

    operator = models.ForeignKey(Operator, on_delete=models.PROTECT, related_name="gateways")
    environment = models.CharField(max_length=4, choices=Environment.choices)
    channel = models.CharField(
        max_length=40, default="wallet", help_text="wallet, promptpay, bank_transfer, or venue:{code} of the house"
    )
    adapter = models.CharField(max_length=40, default="operator_wallet")
    base_url = models.URLField(max_length=500)
    secret = EncryptedField(help_text="whsec_…; encrypted at rest; signs our requests; never shown, never logged")
    wallet_asset = models.CharField(max_length=20)
    time_limit_ms = models.PositiveIntegerField(default=5_000)
    requery_cap = models.PositiveSmallIntegerField(default=3)
    requery_backoff_ms = models.PositiveIntegerField(default=1_000, help_text="doubles with each lookup")
    not_found_horizon_ms = models.PositiveIntegerField(default=60_000, help_text="counted from the last ask_until")
    pending_backoff_ms = models.PositiveIntegerField(default=10_000)
    pending_horizon_ms = models.PositiveIntegerField(default=3_600_000)
    execute_within_ms = models.PositiveIntegerField(
        default=900_000, help_text="a debit not asked by then fails its order"
    )
    resubmit = models.BooleanField(default=False, help_text="ask again with the same key once proven absent")
    concurrency = models.PositiveSmallIntegerField(
        default=12,
        validators=[MinValueValidator(1)],
        help_text="questions that run at once, of all workers: keep it below their threads",
    )
    inquiry_concurrency = models.PositiveSmallIntegerField(
        default=6,
        validators=[MinValueValidator(1)],
        help_text="of those, questions that a request waits for (prices, recipients): well below the threads of the web",
    )
    breaker_failures = models.PositiveSmallIntegerField(
        default=10, help_text="so many questions in a row that it fails open its circuit"
    )
    breaker_window_ms = models.PositiveIntegerField(default=60_000, help_text="within this time")
    breaker_open_ms = models.PositiveIntegerField(default=10_000, help_text="doubles with each probe that fails")
    paused_until = models.DateTimeField(null=True, blank=True)
    paused_reason = models.CharField(max_length=200, default="", blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["operator", "environment", "channel"], name="gateway_once"),
            models.CheckConstraint(condition=models.Q(concurrency__gte=1), name="gateway_asks_at_least_one"),
            models.CheckConstraint(
                condition=models.Q(inquiry_concurrency__gte=1), name="gateway_inquires_at_least_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operator} {self.environment} {self.channel}"


class GatewayPause(models.Model):
    """Who paused a gateway, why and until when. Its gateway's `paused_until` is what the door reads."""

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="pauses")
    reason = models.CharField(max_length=200)
    paused_by = models.CharField(max_length=150)
    paused_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=150, default="")
    lifted_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.gateway} until {self.expires_at:%Y-%m-%d %H:%M}"


class Breaker(models.Model):
    """What all workers know of a gateway's health. Its instants say whether the circuit is closed, open or probed.

    Closed while `open_until` is empty; open until then; after it one question probes, until `probe_until`.
    """

    gateway = models.OneToOneField(Gateway, on_delete=models.PROTECT, primary_key=True, related_name="breaker")
    failures = models.PositiveIntegerField(default=0, help_text="in a row, since `failing_since`")
    failing_since = models.DateTimeField(null=True)
    opened_at = models.DateTimeField(null=True, help_text="when it opened last")
    open_until = models.DateTimeField(null=True)
    openings = models.PositiveIntegerField(default=0, help_text="in a row, without an answer in between")
    probe_token = models.CharField(max_length=32, default="")
    probe_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"circuit of gateway {self.gateway_id}"


class FxRate(models.Model):
    """How many units of `quote_asset` one unit of `base_asset` buys, as a source said it at a time. Append-only."""

    base_asset = models.CharField(max_length=20)
    quote_asset = models.CharField(max_length=20)
    rate = models.DecimalField(max_digits=38, decimal_places=18)
    source = models.CharField(max_length=60)
    observed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["base_asset", "quote_asset", "-observed_at"], name="fx_rate_latest")]

    def __str__(self) -> str:
        return f"{self.base_asset}/{self.quote_asset} {self.rate}"


class RemoteOperation(Stateful):
    """One remote mutation under one key. A new version of the key is a new row."""

    MACHINE = "remote_operation"

    class State(models.TextChoices):
        PREPARED = "prepared"
        """Written down; nothing was sent."""
        ASKED = "asked"
        """Claimed and perhaps sent, until `ask_until`."""
        WITHDRAWN = "withdrawn"
        """Given up before anything was sent."""
        CONFIRMED = "confirmed"
        REJECTED = "rejected"
        UNKNOWN = "unknown"
        ABSENT = "absent"
        """Not found past the horizon: may be asked again, with the same key only."""

    state = FSMField(choices=State.choices, default=State.PREPARED, protected=True, max_length=40)
    key = models.CharField(max_length=120, unique=True, help_text="{reference}:{leg}:v{n}")
    owner = models.CharField(max_length=40, db_index=True, help_text="the order or return that it belongs to")
    leg = models.CharField(max_length=10)
    leg_version = models.PositiveSmallIntegerField(default=1)
    gateway_id = models.BigIntegerField()
    asset = models.CharField(max_length=20)
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0)
    request = models.JSONField(default=dict, help_text="what is asked, beside key, asset and amount")
    request_digest = models.CharField(max_length=64)
    asked_at = models.DateTimeField(null=True)
    ask_until = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, default="")
    asks = models.PositiveSmallIntegerField(default=0)
    lookups = models.PositiveSmallIntegerField(default=0)
    counted_lookups = models.PositiveSmallIntegerField(default=0, help_text="those that count towards the cap")
    ask_again_granted = models.CharField(
        max_length=150, default="", help_text="who decided, in review, that the same key may be asked once more"
    )
    unknown_cause = models.CharField(max_length=20, default="")
    remote_ref = models.CharField(max_length=120, default="")
    settlement_date = models.DateField(null=True, help_text="a payment: when the other side says that it settles")
    rejected_reason = models.CharField(max_length=120, default="")
    answered_at = models.DateTimeField(null=True)
    read_at = models.DateTimeField(
        null=True, help_text="a confirmed payment: when it was last asked whether it came back"
    )
    read_due_at = models.DateTimeField(null=True, help_text="and when it is asked next; empty when it is no more")
    late = models.BooleanField(
        default=False,
        help_text="confirmed after its lease was lost, or after it was proven absent: perhaps a late effect",
    )

    class Meta:
        indexes = [
            models.Index(fields=["remote_ref"], condition=~models.Q(remote_ref=""), name="remote_operation_by_theirs"),
            models.Index(
                fields=["gateway_id", "lease_until"],
                condition=models.Q(lease_until__isnull=False),
                name="remote_operation_leased",
            ),
            models.Index(
                fields=["gateway_id", "state"],
                condition=models.Q(state__in=["prepared", "asked", "unknown"]),
                name="remote_operation_open",
            ),
            models.Index(fields=["asked_at"], condition=models.Q(state="absent"), name="remote_operation_absent"),
            models.Index(
                fields=["read_due_at"],
                condition=models.Q(read_due_at__isnull=False),
                name="remote_operation_to_be_read",
            ),
        ]

    @transition(field=state, source=[State.PREPARED, State.ABSENT], target=State.ASKED)
    def ask(self) -> None:
        """Claimed for sending; only with the same key."""

    @transition(field=state, source=State.PREPARED, target=State.WITHDRAWN)
    def withdraw(self) -> None:
        """Nothing was ever sent."""

    @transition(field=state, source=[State.ASKED, State.UNKNOWN, State.ABSENT], target=State.CONFIRMED)
    def confirm(self) -> None:
        """The other side says it happened (from absent: a late effect)."""

    @transition(field=state, source=[State.ASKED, State.UNKNOWN], target=State.REJECTED)
    def reject(self) -> None:
        """The other side says it did not and will not."""

    @transition(field=state, source=State.ASKED, target=State.UNKNOWN)
    def lose_sight(self) -> None:
        """No answer that proves anything."""

    @transition(field=state, source=State.UNKNOWN, target=State.ABSENT)
    def prove_absent(self) -> None:
        """A lookup past the not-found horizon found nothing."""

    def announcement(self) -> Announcement | None:
        """Say, inside the house only, that a confirmation came late: its owner may have ended otherwise."""
        if self.state != self.State.CONFIRMED or not self.late:
            return None
        return Announcement(
            topic="remote_operation.late",
            public=False,
            payload={
                "key": self.key,
                "owner": self.owner,
                "leg": self.leg,
                "asset": self.asset,
                "amount_minor": str(self.amount_minor),
                "remote_ref": self.remote_ref,
            },
        )


class RemoteAttempt(models.Model):
    """One question to a gateway and what came back. Append-only: the evidence."""

    class Kind(models.TextChoices):
        ASK = "ask"
        LOOKUP = "lookup"

    operation_id = models.BigIntegerField(db_index=True)
    number = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=6, choices=Kind.choices)
    request_id = models.CharField(max_length=128)
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    http_status = models.PositiveSmallIntegerField(null=True)
    outcome = models.CharField(max_length=10, help_text="confirmed, rejected or unknown")
    detail = models.CharField(max_length=200, default="", help_text="cause, reason or remote reference")
    late = models.BooleanField(default=False, help_text="came after its lease was lost: evidence only")
    question = models.CharField(max_length=500, default="", help_text="the beginning of what was sent, redacted")
    excerpt = models.CharField(max_length=500, default="", help_text="the beginning of the answer, redacted")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["operation_id", "number"], name="remote_attempt_once")]
        indexes = [models.Index(fields=["request_id"], name="remote_attempt_by_request")]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class InquiryLease(models.Model):
    """An inquiry that runs: counted with the leases of remote operations. Gone with its answer, or when its time is over."""

    gateway_id = models.BigIntegerField()
    token = models.CharField(max_length=32)
    lease_until = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["gateway_id", "token"], name="inquiry_lease_once")]

    def __str__(self) -> str:
        return f"{self.gateway_id} until {self.lease_until:%Y-%m-%d %H:%M:%S}"


class Inquiry(models.Model):
    """A question that moves nothing and what came back: a venue's price, a payout's recipient. It belongs to a request.

    Append-only.
    """

    class Kind(models.TextChoices):
        PRICE = "price"
        RECIPIENT = "recipient"

    gateway_id = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    subject = models.CharField(max_length=60, help_text="what it was about: a pool, an intent")
    request_id = models.CharField(max_length=128)
    started_at = models.DateTimeField()
    duration_ms = models.PositiveIntegerField()
    http_status = models.PositiveSmallIntegerField(null=True)
    outcome = models.CharField(max_length=10, help_text="answered, refused or unknown")
    detail = models.CharField(max_length=200, default="", help_text="their id, reason or cause")
    question = models.CharField(max_length=500, default="", help_text="the beginning of what was sent, redacted")
    excerpt = models.CharField(max_length=500, default="", help_text="the beginning of the answer, redacted")

    class Meta:
        verbose_name_plural = "inquiries"
        indexes = [
            models.Index(fields=["request_id"], name="inquiry_by_request"),
            models.Index(fields=["gateway_id", "started_at"], name="inquiry_by_gateway"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.subject}"
