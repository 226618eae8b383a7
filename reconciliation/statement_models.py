"""Statements of banks and operators: where they come from, the files, their lines, and what each line was matched with."""

from django.db import models
from django.db.models import Q
from django_fsm import FSMField, transition

from ledger.controls.events import Announcement
from ledger.controls.states import Stateful
from ledger.environments import Environment


class StatementSource(models.Model):
    """One account at a bank, or one operator's wallet service: whose statements come in, and how they are written.

    `account` is the address in our book whose postings they confirm. `mapping` says which column holds what.
    """

    class Kind(models.TextChoices):
        BANK = "bank"
        OPERATOR = "operator"

    class Format(models.TextChoices):
        CSV = "csv"
        CAMT053 = "camt053", "camt.053"

    environment = models.CharField(max_length=4, choices=Environment.choices)
    code = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    operator_id = models.BigIntegerField(null=True, help_text="of an operator's statements")
    account = models.CharField(max_length=255, help_text="the address in our book: bank:main, operators:acme:due")
    asset = models.CharField(max_length=20, help_text="what a line is of that names no asset")
    format = models.CharField(max_length=10, choices=Format.choices)
    mapping = models.JSONField(default=dict, help_text="of a CSV: its columns, dates, decimals and directions")
    date_window_days = models.PositiveSmallIntegerField(default=3, help_text="how far a match without ids may lie")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150)
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["environment", "code"], name="statement_source_once"),
            models.CheckConstraint(
                condition=Q(kind="operator", operator_id__isnull=False) | Q(kind="bank", operator_id__isnull=True),
                name="statement_source_of_whom",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.environment} {self.code}"


class StatementFile(Stateful):
    """A file as it came in. Its bytes stay; the same bytes of a source are imported once."""

    MACHINE = "statement_file"

    class State(models.TextChoices):
        RECEIVED = "received"
        IMPORTED = "imported"
        DISCARDED = "discarded"

    state = FSMField(choices=State.choices, default=State.RECEIVED, protected=True, max_length=40)
    source = models.ForeignKey(StatementSource, on_delete=models.PROTECT, related_name="files")
    name = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()
    mapping = models.JSONField(default=dict, help_text="the source's mapping when it was imported")
    received_by = models.CharField(max_length=150)
    new_lines = models.PositiveIntegerField(default=0)
    known_lines = models.PositiveIntegerField(default=0, help_text="that an earlier file had brought")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["source", "sha256"], condition=~Q(state="discarded"), name="statement_file_once"
            )
        ]

    @transition(field=state, source=State.RECEIVED, target=State.IMPORTED)
    def take_in(self) -> None:
        """Its lines are kept."""

    @transition(field=state, source=State.RECEIVED, target=State.DISCARDED)
    def discard(self) -> None:
        """Not the file that was meant; the same bytes may come again."""

    def announcement(self) -> Announcement | None:
        return None


class StatementLine(models.Model):
    """One line of a statement. Only `unmatched_because` changes: what the last look for its counterpart came to.

    `amount_minor` is signed: positive debits our account (a bank received it, an operator owes it to us).
    `business_date` is the date whose close it belongs to: `booked_on`, or the first open date after it.
    """

    reference = models.CharField(max_length=40, unique=True)
    environment = models.CharField(max_length=4, choices=Environment.choices)
    operator_id = models.BigIntegerField(null=True)
    source = models.ForeignKey(StatementSource, on_delete=models.PROTECT, related_name="lines")
    file = models.ForeignKey(StatementFile, on_delete=models.PROTECT, related_name="lines")
    number = models.PositiveIntegerField(help_text="in its file")
    line_id = models.CharField(max_length=140, help_text="theirs")
    booked_on = models.DateField()
    value_on = models.DateField(null=True)
    business_date = models.DateField()
    asset = models.CharField(max_length=20)
    amount_minor = models.DecimalField(max_digits=39, decimal_places=0)
    our_key = models.CharField(max_length=255, default="", help_text="the idempotency or ledger key that we sent")
    our_reference = models.CharField(max_length=140, default="", help_text="an id of ours: order, payout, return, …")
    provider_reference = models.CharField(max_length=140, default="", help_text="their id of the movement")
    partner_order_id = models.CharField(max_length=255, default="")
    quote_reference = models.CharField(max_length=140, default="")
    description = models.CharField(max_length=500, default="")
    raw = models.JSONField(default=dict, help_text="the line as it came")
    unmatched_because = models.CharField(max_length=300, default="")
    imported_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["source", "line_id"], name="statement_line_once")]
        indexes = [
            models.Index(fields=["environment", "business_date"], name="statement_line_date"),
            models.Index(
                fields=["operator_id", "partner_order_id"],
                condition=~Q(partner_order_id=""),
                name="statement_line_partner",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class StatementMatch(Stateful):
    """A line and the transaction of our book that it confirms, with the rule that found it. Undone by a person only.

    A line of a batch confirms several transactions, each by a match of its own; together they are its exact amount.
    """

    MACHINE = "statement_match"

    class State(models.TextChoices):
        STANDING = "standing"
        UNDONE = "undone"

    class Rule(models.TextChoices):
        OUR_KEY = "our_key", "our key"
        OUR_REFERENCE = "our_reference", "our reference"
        PROVIDER_REFERENCE = "provider_reference", "their reference"
        PARTNER_ORDER_ID = "partner_order_id", "partner order id"
        AMOUNT_AND_DATE = "amount_and_date", "exact amount within the date window"
        BY_HAND = "by_hand", "by hand"

    state = FSMField(choices=State.choices, default=State.STANDING, protected=True, max_length=40)
    line = models.ForeignKey(StatementLine, on_delete=models.PROTECT, related_name="matches")
    source = models.ForeignKey(StatementSource, on_delete=models.PROTECT, related_name="matches")
    transaction_id = models.UUIDField(help_text="of our book")
    transaction_key = models.CharField(max_length=255)
    rule = models.CharField(max_length=20, choices=Rule.choices)
    matched_by = models.CharField(max_length=150)
    reason = models.CharField(max_length=200, default="")
    in_batch = models.BooleanField(default=False, help_text="one of several transactions that the line stands for")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["line"], condition=Q(state="standing", in_batch=False), name="statement_line_matched_once"
            ),
            models.UniqueConstraint(
                fields=["source", "transaction_id"], condition=Q(state="standing"), name="statement_transaction_once"
            ),
        ]

    @transition(field=state, source=State.STANDING, target=State.UNDONE)
    def undo(self) -> None:
        """A person says that the two do not belong together."""

    def announcement(self) -> Announcement | None:
        return None
