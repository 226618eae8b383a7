"""Periods and closures as the ORM reads them; functions in `ledger/sql/` write them."""

from django.db import models


class Period(models.Model):
    """A business date of a book that takes no more postings while `locked_at` stands."""

    pk = models.CompositePrimaryKey("book_id", "business_date")
    book_id = models.SmallIntegerField()
    business_date = models.DateField()
    locked_at = models.DateTimeField(null=True)
    locked_by = models.TextField()
    version = models.IntegerField()

    class Meta:
        managed = False
        db_table = "ledger_period"

    def __str__(self) -> str:
        return self.business_date.isoformat()


class PeriodChange(models.Model):
    """One lock or unlock of a period. Never changed, never deleted."""

    id = models.BigAutoField(primary_key=True)
    book_id = models.SmallIntegerField()
    business_date = models.DateField()
    version = models.IntegerField()
    action = models.TextField(choices=[("locked", "Locked"), ("unlocked", "Unlocked")])
    actor = models.TextField()
    approval = models.TextField(help_text="the reference of the approved proposal, of an unlock")
    changed_at = models.DateTimeField()
    sealed_through = models.BigIntegerField(null=True, help_text="the newest block when it was locked")

    class Meta:
        managed = False
        db_table = "ledger_period_change"

    def __str__(self) -> str:
        return f"{self.business_date.isoformat()} {self.action}"


class Closure(models.Model):
    """A closed account, and the transaction whose pending posting closed it. Gone once that returned."""

    account = models.OneToOneField(
        "ledger.Account", primary_key=True, on_delete=models.DO_NOTHING, related_name="closure", db_constraint=False
    )
    book_id = models.SmallIntegerField()
    closed_by = models.UUIDField()
    closed_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "ledger_closure"
