"""Orders, from submission to their end."""

from django.db import models
from django_fsm import FSMField, transition

from ledger import assets
from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.money import Money
from orders.models.quotes import Quote, wallet_side


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
            models.Index(fields=["partner_order_id"], name="order_by_partner_id"),
            models.Index(fields=["request_id"], name="order_by_request"),
            models.Index(fields=["user_reference"], name="order_by_user"),
            models.Index(fields=["idempotency_key"], name="order_by_key"),
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
        return wallet_side(self)

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
