"""The seals as the ORM reads them. `ledger/sql/seal_tables.sql` defines these tables; `ledger_seal` writes them."""

from django.db import models


class Block(models.Model):
    """A sealed list of transactions, chained to the one before by its root (SHA-256, hexadecimal)."""

    pk = models.CompositePrimaryKey("book_id", "number")
    book_id = models.SmallIntegerField()
    number = models.BigIntegerField()
    sealed_at = models.DateTimeField()
    members = models.IntegerField()
    members_hash = models.TextField()
    previous_root = models.TextField()
    root = models.TextField()

    class Meta:
        managed = False
        db_table = "ledger_block"

    def __str__(self) -> str:
        return f"{self.number}:{self.root}"


class BlockMember(models.Model):
    """One transaction's place in its block, and the digest of its content when it was sealed."""

    pk = models.CompositePrimaryKey("book_id", "number", "position")
    book_id = models.SmallIntegerField()
    number = models.BigIntegerField()
    position = models.IntegerField()
    transaction_id = models.UUIDField()
    digest = models.BinaryField()

    class Meta:
        managed = False
        db_table = "ledger_block_member"


class Unsealed(models.Model):
    """A transaction that waits for the sealer."""

    transaction_id = models.UUIDField(primary_key=True)
    book_id = models.SmallIntegerField()

    class Meta:
        managed = False
        db_table = "ledger_unsealed"
