"""The journal as the ORM reads it. `ledger/sql/journal_tables.sql` defines these tables; `ledger.journal` writes."""

from django.contrib.postgres.fields import ArrayField
from django.db import models


class BalanceRule(models.TextChoices):
    """TigerBeetle's two account flags, in its words."""

    NONE = "none"
    """Takes no lock; its postings leave delta rows."""
    DEBITS_MUST_NOT_EXCEED_CREDITS = "debits_must_not_exceed_credits"
    CREDITS_MUST_NOT_EXCEED_DEBITS = "credits_must_not_exceed_debits"


class AccountClass(models.TextChoices):
    ASSET = "asset"
    LIABILITY = "liability"
    EQUITY = "equity"
    INCOME = "income"
    EXPENSE = "expense"


class PostingKind(models.TextChoices):
    POSTED = "posted"
    """Moves its amount at once."""
    PENDING = "pending"
    """Part of a hold: reserved, not yet moved."""
    POST = "post"
    """Posts the whole or a part of a pending posting; the rest returns."""
    VOID = "void"
    """Gives a pending posting back."""
    EXPIRE = "expire"
    """Gives a pending posting back because its timeout has passed."""


class HoldState(models.TextChoices):
    OPEN = "open"
    POSTED = "posted"
    VOIDED = "voided"
    EXPIRED = "expired"


def _minor() -> "models.DecimalField[int, int]":
    return models.DecimalField(max_digits=39, decimal_places=0)


class Account(models.Model):
    """One place for one asset. The four balances lack open delta rows: read them through `ledger.balances`."""

    id = models.BigAutoField(primary_key=True)
    book_id = models.SmallIntegerField()
    address = models.TextField()
    asset = models.TextField()
    account_class = models.TextField(choices=AccountClass.choices)
    gl_code = models.TextField()
    normal_side = models.TextField()
    workflow_view = models.TextField()
    balance_rule = models.TextField(choices=BalanceRule.choices)
    debits_posted = _minor()
    credits_posted = _minor()
    debits_pending = _minor()
    credits_pending = _minor()
    opened_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "ledger_account"

    def __str__(self) -> str:
        return f"{self.address} {self.asset}"


class LedgerKey(models.Model):
    """A transaction's key: at most one transaction per key and book, also for one that failed."""

    pk = models.CompositePrimaryKey("book_id", "key")
    book_id = models.SmallIntegerField()
    key = models.TextField()
    transaction_id = models.UUIDField()

    class Meta:
        managed = False
        db_table = "ledger_key"


class Transaction(models.Model):
    """An atomic list of postings. Never changed, never deleted."""

    id = models.UUIDField(primary_key=True)
    book_id = models.SmallIntegerField()
    key = models.TextField()
    event_type = models.TextField()
    phase = models.TextField()
    subject = models.TextField()
    refs = models.JSONField()
    metadata = models.JSONField()
    request_id = models.TextField()
    effective_at = models.DateTimeField()
    value_date = models.DateTimeField(null=True)
    recorded_at = models.DateTimeField()
    timeout_seconds = models.BigIntegerField()
    hold_id = models.UUIDField(null=True)
    template_version = models.BigIntegerField(null=True)
    flags = ArrayField(models.TextField(), null=True)
    locked_date = models.DateField(null=True)

    class Meta:
        managed = False
        db_table = "ledger_transaction"

    def __str__(self) -> str:
        return self.key


class Posting(models.Model):
    """One amount of one asset from the debited to the credited account. Never changed, never deleted."""

    id = models.UUIDField(primary_key=True)
    transaction = models.ForeignKey(
        Transaction, on_delete=models.DO_NOTHING, related_name="postings", db_constraint=False
    )
    position = models.IntegerField()
    book_id = models.SmallIntegerField()
    kind = models.TextField(choices=PostingKind.choices)
    pending_id = models.UUIDField(null=True)
    debit_account = models.ForeignKey(Account, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False)
    credit_account = models.ForeignKey(Account, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False)
    asset = models.TextField()
    amount_minor = _minor()

    class Meta:
        managed = False
        db_table = "ledger_posting"

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """The ledger id, `led_…`."""
        return f"led_{self.id.hex}"


class Hold(models.Model):
    """All pending postings of one transaction, and how they ended."""

    transaction = models.OneToOneField(Transaction, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False)
    book_id = models.SmallIntegerField()
    state = models.TextField(choices=HoldState.choices)
    expires_at = models.DateTimeField(null=True)
    ended_by = models.UUIDField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        managed = False
        db_table = "ledger_hold"

    def __str__(self) -> str:
        return str(self.transaction_id)
