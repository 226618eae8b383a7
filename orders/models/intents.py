"""Intents: the payment requests of OneWallet (transfers, payouts) and their history per wallet."""

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django_fsm import FSMField, transition

from ledger import assets
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.environments import Environment


class Intent(Stateful):
    """A payment request and the anchor of its idempotency: same key, same result, always (OneWallet)."""

    MACHINE = "intent"

    class State(models.TextChoices):
        CREATED = "created"
        """Stored; a scheduled transfer waits here until it is due."""
        VALIDATED = "validated"
        """Fees calculated, limits checked; a payout of two calls waits here to be confirmed."""
        AUTHORIZED = "authorized"
        """Funds are held; the outside decides."""
        SETTLED = "settled"
        FAILED = "failed"
        CANCELLED = "cancelled"
        """By the user, before authorisation: the funds never left."""
        MANUAL_REVIEW = "manual_review"

    class Kind(models.TextChoices):
        TRANSFER = "transfer"
        PAYOUT = "payout"

    class Channel(models.TextChoices):
        INTERNAL = "internal"
        PROMPTPAY = "promptpay"
        BANK_TRANSFER = "bank_transfer"

    state = FSMField(choices=State.choices, default=State.CREATED, protected=True, max_length=40)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    channel = models.CharField(max_length=20, choices=Channel.choices)
    status_reason = models.CharField(max_length=60, default="", help_text="stable, for the operator: limit_exceeded, …")
    payer = models.CharField(max_length=40, help_text="the wallet that pays")
    payee = models.CharField(max_length=40, default="", help_text="the wallet that is paid: transfers")
    recipient = models.JSONField(default=dict, help_text="who is paid outside: payouts; as the channel names them")
    asset = models.CharField(max_length=20)
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="what was asked for")
    debit_minor = models.DecimalField(
        max_digits=39, decimal_places=0, null=True, help_text="taken from the payer in all"
    )
    credit_minor = models.DecimalField(max_digits=39, decimal_places=0, null=True, help_text="reaches the payee")
    fee_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0, help_text="ours, without VAT")
    vat_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0)
    network_fee_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0, help_text="the channel's")
    fee_items = models.JSONField(default=list, help_text="each item with its rule and version")
    usages = models.JSONField(default=list, help_text="the limit counters it took from, with their days")
    terms = models.JSONField(default=dict, help_text="the accounts of its ledger lines")
    """Of a payout the gateway too at which it was begun: whoever says who is paid is who pays."""
    partner_reference = models.CharField(max_length=80, default="", help_text="the operator's own id for it")
    reference_freed_by = models.GeneratedField(
        expression=Case(When(state="failed", authorized_at__isnull=True, then=F("reference")), default=Value("")),
        output_field=models.CharField(max_length=40),
        db_persist=True,
        help_text="itself where it was refused before anything was held: its partner reference is free again",
    )
    """A column, so that no index names the state: a move that leaves every indexed column alone writes no index."""
    note = models.CharField(max_length=140, default="")
    lookup_ref = models.CharField(max_length=120, default="", help_text="the recipient query's")
    receiver_name = models.CharField(max_length=140, default="")
    response_id = models.CharField(max_length=120, default="", help_text="the channel's, of the submission")
    settlement_date = models.DateField(null=True)
    reference_number = models.CharField(max_length=40, default="", help_text="what the user is shown at the end")
    scheduled_for = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True, help_text="an unconfirmed payout is cancelled then")
    request_id = models.CharField(max_length=128, default="")
    validated_at = models.DateTimeField(null=True)
    authorized_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["operator_id", "environment", "partner_reference", "reference_freed_by"],
                condition=~Q(partner_reference=""),
                name="intent_partner_reference_once",
            )
        ]
        indexes = [
            models.Index(fields=["operator_id", "environment", "-id"], name="intent_list"),
            models.Index(
                fields=["operator_id", "environment", "-id"],
                condition=Q(reference_number=""),
                name="intent_not_settled",
            ),
            models.Index(fields=["payer", "-id"], name="intent_of_payer"),
            models.Index(fields=["payee", "-id"], condition=~Q(payee=""), name="intent_of_payee"),
            models.Index(
                fields=["scheduled_for"],
                condition=Q(scheduled_for__isnull=False, ended_at__isnull=True),
                name="intent_due",
            ),
            models.Index(fields=["updated_at"], condition=Q(ended_at__isnull=True), name="intent_open"),
            models.Index(
                fields=["expires_at"], condition=Q(kind="payout", ended_at__isnull=True), name="intent_expiring"
            ),
            models.Index(fields=["reference_number"], condition=~Q(reference_number=""), name="intent_number"),
            models.Index(fields=["lookup_ref"], condition=~Q(lookup_ref=""), name="intent_lookup"),
            models.Index(fields=["response_id"], condition=~Q(response_id=""), name="intent_response"),
        ]

    @transition(field=state, source=State.CREATED, target=State.VALIDATED)
    def validate(self) -> None:
        """Fees calculated, limits checked."""

    @transition(field=state, source=State.VALIDATED, target=State.AUTHORIZED)
    def authorize(self) -> None:
        """Funds held."""

    @transition(field=state, source=[State.AUTHORIZED, State.MANUAL_REVIEW], target=State.SETTLED)
    def settle(self) -> None:
        """Funds moved to the recipient."""

    @transition(
        field=state,
        source=[State.CREATED, State.VALIDATED, State.AUTHORIZED, State.MANUAL_REVIEW],
        target=State.FAILED,
    )
    def fail(self) -> None:
        """Did not complete; what was held went back."""

    @transition(field=state, source=[State.CREATED, State.VALIDATED], target=State.CANCELLED)
    def cancel(self) -> None:
        """Cancelled before authorisation."""

    @transition(field=state, source=State.AUTHORIZED, target=State.MANUAL_REVIEW)
    def stop_for_review(self) -> None:
        """The automatic path stopped: people look at the provider's real state."""

    @property
    def terminal(self) -> bool:
        return self.state in (self.State.SETTLED, self.State.FAILED, self.State.CANCELLED)

    @property
    def requires_monitoring(self) -> bool:
        """True from authorized until terminal: the caller opens a stream (OneWallet)."""
        return self.state in (self.State.AUTHORIZED, self.State.MANUAL_REVIEW)

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"intent.{self.state.upper()}",
            public=True,
            payload={
                "intent_id": self.reference,
                "kind": self.kind,
                "channel": self.channel,
                "status": self.state.upper(),
                "status_reason": self.status_reason or None,
                "terminal": self.terminal,
                "requiresMonitoring": self.requires_monitoring,
                "partner_reference": self.partner_reference or None,
                "asset": self.asset,
                "amount": assets.text(int(self.amount_minor), self.asset),
                "reference_number": self.reference_number or None,
            },
        )


class WalletEntry(models.Model):
    """A wallet's history: what one intent, pay-in, return or posting of the house did to it, and the balances after it.

    Append-only.
    """

    wallet = models.CharField(max_length=40)
    environment = models.CharField(max_length=4, choices=Environment.choices)
    operator_id = models.BigIntegerField()
    subject = models.CharField(
        max_length=40, db_index=True, help_text="the intent, pay-in or return; or the ledger posting"
    )
    kind = models.CharField(max_length=24, help_text="transfer_out, transfer_in, payout_hold, payout, payin, …")
    asset = models.CharField(max_length=20)
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="signed: into the wallet is positive")
    posted_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="the posted balance after it")
    held_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="what is held after it")
    ledger_reference = models.CharField(max_length=40, default="")
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["wallet", "subject", "kind"], name="wallet_entry_once")]
        indexes = [models.Index(fields=["wallet", "-id"], name="wallet_history")]
