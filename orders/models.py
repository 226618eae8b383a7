"""Pools, quotes, orders, trades, their sagas and reviews. States and edges: DESIGN.md section 6."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from ledger import assets
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.environments import Environment
from ledger.money import Money


class Pool(models.Model):
    """A liquidity lane. Its reserves are ledger balances at `pools:{code}`."""

    class Kind(models.TextChoices):
        CONSTANT_PRODUCT = "constant_product"

    code = models.CharField(max_length=40, help_text="EUR-USDT")
    environment = models.CharField(max_length=4, choices=Environment.choices)
    kind = models.CharField(max_length=20, choices=Kind.choices, default=Kind.CONSTANT_PRODUCT)
    cash_asset = models.CharField(max_length=20)
    position_asset = models.CharField(max_length=20)
    minimum_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="of a buy, in cash asset")
    maximum_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="of a buy, in cash asset")
    quote_lifetime_ms = models.PositiveIntegerField(default=30_000)
    open_reservations_cap = models.PositiveIntegerField(default=500, help_text="per operator")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["environment", "code"], name="pool_once")]

    def __str__(self) -> str:
        return self.code


class PoolHalt(models.Model):
    """A pool is halted while it has a row here without `lifted_at`: its open reservations fail for sure."""

    pool = models.ForeignKey(Pool, on_delete=models.PROTECT, related_name="halts")
    reason = models.CharField(max_length=200)
    halted_by = models.CharField(max_length=150)
    halted_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=150, default="")
    lifted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["pool"], condition=Q(lifted_at__isnull=True), name="pool_halted_once")
        ]

    def __str__(self) -> str:
        return f"{self.pool} {self.reason}"


class Quote(Stateful):
    """Terms offered. Immutable once accepted; expiry limits acceptance, not execution."""

    MACHINE = "quote"

    class State(models.TextChoices):
        ACTIVE = "active"
        ACCEPTED = "accepted"
        EXPIRED = "expired"
        CANCELLED = "cancelled"

    class Side(models.TextChoices):
        BUY = "buy"
        SELL = "sell"

    state = FSMField(choices=State.choices, default=State.ACTIVE, protected=True, max_length=40)
    pool_id = models.BigIntegerField()
    pool_code = models.CharField(max_length=40)
    side = models.CharField(max_length=10, choices=Side.choices)
    user_reference = models.CharField(max_length=64)
    source_asset = models.CharField(max_length=20, help_text="a buy: the wallet's asset; a sell: the position's")
    source_minor = models.DecimalField(
        max_digits=39,
        decimal_places=0,
        help_text="a buy: what the wallet is debited, with fees; a sell: what of the position is given",
    )
    fee_minor = models.DecimalField(max_digits=39, decimal_places=0, help_text="all fee items, in the wallet's asset")
    vat_minor = models.DecimalField(max_digits=39, decimal_places=0, default=0)
    fee_items = models.JSONField(default=list, help_text="name, rule, version, fee and VAT, decimal strings")
    cash_asset = models.CharField(max_length=20)
    cash_minor = models.DecimalField(
        max_digits=39, decimal_places=0, help_text="a buy: what the pool takes; a sell: the proceeds in credits"
    )
    fx_rate = models.DecimalField(max_digits=38, decimal_places=18, null=True)
    fx_source = models.CharField(max_length=60, default="")
    fx_observed_at = models.DateTimeField(null=True)
    target_asset = models.CharField(max_length=20)
    target_minor = models.DecimalField(
        max_digits=39, decimal_places=0, help_text="a buy: what the pool gives; a sell: the payout amount, less fees"
    )
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    order_reference = models.CharField(max_length=40, default="")

    class Meta:
        indexes = [
            models.Index(fields=["operator_id", "environment", "id"], name="quote_of_operator"),
            models.Index(fields=["expires_at"], condition=Q(state="active"), name="quote_expiring"),
        ]

    @property
    def wallet_amount(self) -> Money:
        """Return what the operator's wallet is debited or credited."""
        return _wallet_amount(self)

    @transition(field=state, source=State.ACTIVE, target=State.ACCEPTED)
    def accept(self) -> None:
        """An order was submitted on these terms."""

    @transition(field=state, source=State.ACTIVE, target=State.EXPIRED)
    def expire(self) -> None:
        """Its time is over."""

    @transition(field=state, source=State.ACTIVE, target=State.CANCELLED)
    def cancel(self) -> None:
        """The operator took it back."""

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"quote.{self.state}",
            public=True,
            payload={
                "quote_id": self.reference,
                "pool_id": self.pool_code,
                "status": self.state,
                "source_asset": self.source_asset,
                "source_amount": assets.text(int(self.source_minor), self.source_asset),
                "target_asset": self.target_asset,
                "target_amount": assets.text(int(self.target_minor), self.target_asset),
                "order_id": self.order_reference or None,
            },
        )


def _wallet_amount(terms: "Quote | Order") -> Money:
    if terms.side == Quote.Side.BUY:
        return Money(int(terms.source_minor), terms.source_asset)
    return Money(int(terms.target_minor), terms.target_asset)


class Order(Stateful):
    """One buy or sell from submission to its end. `state` is OpenPoly's public status."""

    MACHINE = "order"

    class State(models.TextChoices):
        QUEUED = "queued"
        PROCESSING = "processing"
        OPERATOR_DEBIT_PENDING = "operator_debit_pending"
        OPERATOR_DEBITED = "operator_debited"
        OPERATOR_CREDIT_PENDING = "operator_credit_pending"
        PROCESSED = "processed"
        FAILED = "failed"
        COMPENSATION_PENDING = "compensation_pending"
        COMPENSATED = "compensated"
        MANUAL_REVIEW = "manual_review"

    class Reconciliation(models.TextChoices):
        OPEN = "open"
        """No close has matched it yet."""
        MATCHED = "matched"
        EXCEPTION = "exception"
        """An exception case names it."""
        CLOSED = "closed"
        """Its day is locked."""

    state = FSMField(choices=State.choices, default=State.QUEUED, protected=True, max_length=40)
    side = models.CharField(max_length=10, choices=Quote.Side.choices)
    status_reason = models.CharField(max_length=40, default="", help_text="stable: debit_declined, debit_unknown, …")
    partner_order_id = models.CharField(max_length=80)
    user_reference = models.CharField(max_length=64)
    quote_reference = models.CharField(max_length=40, db_index=True)
    pool_code = models.CharField(max_length=40)
    idempotency_key = models.CharField(max_length=255)
    request_id = models.CharField(max_length=128)
    source_asset = models.CharField(max_length=20)
    source_minor = models.DecimalField(max_digits=39, decimal_places=0)
    target_asset = models.CharField(max_length=20)
    target_minor = models.DecimalField(max_digits=39, decimal_places=0)
    execute_by = models.DateTimeField(help_text="a debit not asked, or books not settled, by then fails it")
    ended_at = models.DateTimeField(null=True)
    reconciliation_state = models.CharField(max_length=10, choices=Reconciliation.choices, default=Reconciliation.OPEN)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["operator_id", "environment", "partner_order_id"], name="partner_order_once"
            )
        ]
        indexes = [
            models.Index(fields=["operator_id", "environment", "id"], name="order_of_operator"),
            models.Index(fields=["state", "updated_at"], name="order_queue"),
            models.Index(fields=["environment", "created_at"], name="order_window"),
        ]

    @transition(field=state, source=State.QUEUED, target=State.PROCESSING)
    def start(self) -> None:
        """The saga took it up."""

    @transition(field=state, source=State.PROCESSING, target=State.OPERATOR_DEBIT_PENDING)
    def request_debit(self) -> None:
        """The operator's wallet is about to be asked."""

    @transition(field=state, source=[State.OPERATOR_DEBIT_PENDING, State.MANUAL_REVIEW], target=State.OPERATOR_DEBITED)
    def confirm_debit(self) -> None:
        """The debit is confirmed, by its answer, a lookup or a review."""

    @transition(
        field=state,
        source=[State.PROCESSING, State.MANUAL_REVIEW],
        target=State.OPERATOR_CREDIT_PENDING,
    )
    def request_credit(self) -> None:
        """Own books settled; the operator's wallet is about to be credited."""

    @transition(
        field=state,
        source=[State.OPERATOR_DEBITED, State.OPERATOR_CREDIT_PENDING, State.MANUAL_REVIEW],
        target=State.PROCESSED,
    )
    def complete(self) -> None:
        """The trade is settled: success."""

    @transition(
        field=state, source=[State.PROCESSING, State.OPERATOR_DEBIT_PENDING, State.MANUAL_REVIEW], target=State.FAILED
    )
    def fail(self) -> None:
        """Nothing moved and nothing will; no posting is left standing."""

    @transition(field=state, source=[State.OPERATOR_DEBITED, State.MANUAL_REVIEW], target=State.COMPENSATION_PENDING)
    def begin_compensation(self) -> None:
        """Debited, but surely not traded: the debit is given back."""

    @transition(field=state, source=[State.COMPENSATION_PENDING, State.MANUAL_REVIEW], target=State.COMPENSATED)
    def compensate(self) -> None:
        """The debit was given back."""

    @transition(
        field=state,
        source=[
            State.PROCESSING,
            State.OPERATOR_DEBIT_PENDING,
            State.OPERATOR_DEBITED,
            State.OPERATOR_CREDIT_PENDING,
            State.COMPENSATION_PENDING,
        ],
        target=State.MANUAL_REVIEW,
    )
    def stop_for_review(self) -> None:
        """The automatic path stops: what happened is not safe to assume."""

    @property
    def wallet_amount(self) -> Money:
        """Return what the operator's wallet is debited or credited."""
        return _wallet_amount(self)

    @property
    def terminal(self) -> bool:
        return self.state in (self.State.PROCESSED, self.State.FAILED, self.State.COMPENSATED)

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"order.{self.state}",
            public=True,
            payload={
                "order_id": self.reference,
                "partner_order_id": self.partner_order_id,
                "user_reference": self.user_reference,
                "quote_id": self.quote_reference,
                "pool_id": self.pool_code,
                "status": self.state,
                "status_reason": self.status_reason or None,
                "terminal": self.terminal,
                "source_asset": self.source_asset,
                "source_amount": assets.text(int(self.source_minor), self.source_asset),
                "target_asset": self.target_asset,
                "target_amount": assets.text(int(self.target_minor), self.target_asset),
                "sequence": self.version,
            },
        )


class Trade(Stateful):
    """The venue's execution of an order. Its reference is the seed's transact id."""

    MACHINE = "trade"

    class State(models.TextChoices):
        RESERVED = "reserved"
        SETTLED = "settled"
        FAILED = "failed"
        """The venue surely did not and will not."""
        RELEASED = "released"
        """The hold was given back, because the debit was declined or absent."""
        RETURNED = "returned"

    state = FSMField(choices=State.choices, default=State.RESERVED, protected=True, max_length=40)
    order_reference = models.CharField(max_length=40, db_index=True)
    quote_reference = models.CharField(max_length=40, db_index=True)
    pool_id = models.BigIntegerField()
    pool_code = models.CharField(max_length=40)
    idempotency_key = models.CharField(max_length=255, help_text="of the order's acceptance")
    hold_key = models.CharField(max_length=120, help_text="the ledger key of its reservation")
    terms = models.JSONField(help_text="the amounts and accounts of its ledger lines, minor units as strings")
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["pool_id", "operator_id"], condition=Q(state="reserved"), name="trade_reserved"),
            models.Index(fields=["environment", "created_at"], name="trade_window"),
        ]

    @transition(field=state, source=State.RESERVED, target=State.SETTLED)
    def settle(self) -> None:
        """The hold is posted."""

    @transition(field=state, source=State.RESERVED, target=State.FAILED)
    def fail(self) -> None:
        """The venue refused; the hold is voided."""

    @transition(field=state, source=State.RESERVED, target=State.RELEASED)
    def release(self) -> None:
        """The debit did not happen; the hold is voided."""

    @transition(field=state, source=State.SETTLED, target=State.RETURNED)
    def take_back(self) -> None:
        """The venue took a settled trade back; adjusted, never edited."""

    def announcement(self) -> Announcement | None:
        return Announcement(
            topic=f"trade.{self.state}",
            public=True,
            payload={
                "transact_id": self.reference,
                "order_id": self.order_reference,
                "quote_id": self.quote_reference,
                "pool_id": self.pool_code,
                "status": self.state,
            },
        )


class SagaRun(models.Model):
    """The work row of an order's saga. The order's state is the program counter; this says when and who."""

    order_reference = models.CharField(max_length=40, unique=True)
    environment = models.CharField(max_length=4, choices=Environment.choices)
    available_at = models.DateTimeField()
    attempts = models.PositiveIntegerField(default=0, help_text="consecutive advances that raised a defect")
    lease_until = models.DateTimeField(null=True)
    lease_token = models.CharField(max_length=32, default="")
    last_error = models.CharField(max_length=300, default="")

    class Meta:
        indexes = [models.Index(fields=["available_at"], name="saga_due")]


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


class ReviewCase(Stateful):
    """The work item of an order in manual review."""

    MACHINE = "review_case"

    class State(models.TextChoices):
        OPEN = "open"
        ASSIGNED = "assigned"
        PROPOSED = "proposed"
        RESOLVED = "resolved"

    state = FSMField(choices=State.choices, default=State.OPEN, protected=True, max_length=40)
    subject = models.CharField(max_length=40, db_index=True, help_text="the order")
    reason = models.CharField(max_length=40, help_text="debit_unknown, reverse_unknown, reverse_rejected, …")
    owner = models.CharField(max_length=150, default="")
    next_action = models.CharField(max_length=200)
    asset = models.CharField(max_length=20)
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0)
    resolution = models.CharField(max_length=40, default="")
    resolved_by = models.CharField(max_length=150, default="")
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subject"], condition=~Q(state="resolved"), name="one_open_case")
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
