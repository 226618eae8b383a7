"""Transactions and holds as they stand, newest first, each page in three statements whatever its size."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Exists, OuterRef, QuerySet

from ledger.books import number_of
from ledger.controls.rest.pages import MalformedCursor
from ledger.models import Hold, LedgerKey, Posting, Transaction


@dataclass(frozen=True, slots=True)
class TransactionRow:
    """`hold` is what the transaction placed, if it did."""

    transaction: Transaction
    postings: Sequence[Posting]
    hold: Hold | None


def page(
    *, environment: str, key: str = "", subject: str = "", after: str = "", limit: int = 50
) -> tuple[list[TransactionRow], str | None]:
    """Return a page of the book's transactions and the cursor of the next. Raises MalformedCursor."""
    mine = Transaction.objects.filter(book_id=number_of(environment))
    shown = mine
    if key:
        shown = shown.filter(key=key, pk__in=_under_key(environment, key))
    if subject:
        shown = shown.filter(subject=subject)
    return _page(mine, shown, after=after, limit=limit)


def holds(
    *, environment: str, state: str = "", after: str = "", limit: int = 50
) -> tuple[list[TransactionRow], str | None]:
    """Return a page of the transactions that placed a hold, newest first. Raises MalformedCursor."""
    mine = Transaction.objects.filter(book_id=number_of(environment))
    wanted = Hold.objects.filter(transaction_id=OuterRef("pk"), book_id=number_of(environment))
    if state:
        wanted = wanted.filter(state=state)
    return _page(mine, mine.filter(Exists(wanted)), after=after, limit=limit)


def one(*, environment: str, transaction_id: UUID) -> TransactionRow | None:
    """Return a transaction of the book."""
    found = list(Transaction.objects.filter(book_id=number_of(environment), pk=transaction_id))
    return _with_postings(found)[0] if found else None


def _page(
    mine: "QuerySet[Transaction]", shown: "QuerySet[Transaction]", *, after: str, limit: int
) -> tuple[list[TransactionRow], str | None]:
    if after:
        shown = shown.filter(pk__lt=_place(mine, after))
    found = list(shown.order_by("-pk")[: limit + 1])
    return _with_postings(found[:limit]), str(found[limit - 1].pk) if len(found) > limit else None


def _under_key(environment: str, key: str) -> list[UUID]:
    return list(
        LedgerKey.objects.filter(book_id=number_of(environment), key=key).values_list("transaction_id", flat=True)
    )


def _place(mine: "QuerySet[Transaction]", cursor: str) -> UUID:
    try:
        place = UUID(cursor)
    except ValueError:
        place = None
    if place is None or str(place) != cursor or not mine.filter(pk=place).exists():
        raise MalformedCursor(errors={"after": ["This is not a cursor of this list."]})
    return place


def _with_postings(found: Sequence[Transaction]) -> list[TransactionRow]:
    ids = [row.pk for row in found]
    postings: dict[UUID, list[Posting]] = {}
    rows = Posting.objects.filter(transaction_id__in=ids).select_related("debit_account", "credit_account")
    for row in rows.order_by("transaction_id", "position"):
        postings.setdefault(row.transaction_id, []).append(row)
    placed = {hold.transaction_id: hold for hold in Hold.objects.filter(transaction_id__in=ids)}
    return [TransactionRow(row, postings.get(row.pk, []), placed.get(row.pk)) for row in found]
