"""The write door of the book: a list of drafts in one call of one SQL function (`ledger/sql/journal_post.sql`).

Joins the caller's transaction. At most one call per transaction, after every row lock (DESIGN.md section 3).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import psycopg
from django.db import connection

from ledger import templates
from ledger.books import number_of
from ledger.controls import clock, request_context
from ledger.controls.refusals import Refusal
from ledger.drafts import Draft, Posting

_CALL: Final = (
    "SELECT code, transaction_id, failed_position, amounts FROM ledger_post(%s::smallint, %s::jsonb, %s::integer[], %s::text[],"
    " %s::text[], %s::text[], %s::numeric[], %s::timestamptz) ORDER BY item"
)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one draft: `code` in TigerBeetle's words (`created`, `exists`, `exceeds_credits`, …).

    `transaction_id` is None unless something is posted under the draft's key; `failed_position` counts from 0.
    `amounts` are the minor units that a balancing draft took, posting by posting; None for any other.
    docs/ledger-results.md lists the codes.
    """

    code: str
    transaction_id: UUID | None
    failed_position: int | None
    amounts: tuple[int, ...] | None = None

    @property
    def stands(self) -> bool:
        return self.code in ("created", "exists")


class PostingRefused(Refusal):
    """The ledger refused a transaction; nothing of it was posted."""

    code = "ledger_refused"


def post(*, environment: str, drafts: Sequence[Draft], now: datetime | None = None) -> list[Result]:
    """Post drafts in order and return one result per draft. A refused one leaves nothing but, for a transient reason,
    its burnt key: whoever must not burn keys rolls back.

    Takes part in the caller's transaction. `now` is the instant that this transaction read; None means the clock's.
    """
    if not drafts:
        return []
    items, lines = _arguments(drafts)
    rows = _called([number_of(environment), json.dumps(items), *lines, now or clock.parameter()])
    return [Result(*row[:3], row[3] and tuple(map(int, row[3]))) for row in rows]


def post_all(*, environment: str, drafts: Sequence[Draft], now: datetime | None = None) -> list[Result]:
    """Post drafts or raise PostingRefused naming the first that was refused: the caller rolls back."""
    results = post(environment=environment, drafts=drafts, now=now)
    for draft, result in zip(drafts, results, strict=True):
        if not result.stands:
            raise PostingRefused(
                f"{draft.event_type} was refused by the ledger: {result.code}.",
                ledger_code=result.code,
                event_type=draft.event_type,
            )
    return results


def postings_of(draft: Draft) -> list[Posting]:
    """Return the postings that a draft stands for (the preview of it). A send of 0 posts nothing, but one with flags."""
    return _sends(draft, templates.event_type(draft.event_type))


def _called(arguments: Sequence[object]) -> list[tuple[str, UUID | None, int | None, list[Decimal] | None]]:
    """Call the function in Django's transaction, as a statement that the server has parsed and planned once."""
    connection.ensure_connection()
    connection.validate_no_broken_transaction()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(_CALL, arguments, prepare=True)
        return cursor.fetchall()


def _arguments(drafts: Sequence[Draft]) -> tuple[list[dict[str, object]], tuple[list[int], ...]]:
    items: list[dict[str, object]] = []
    number: list[int] = []
    debit: list[str] = []
    credit: list[str] = []
    asset: list[str] = []
    amount: list[int] = []
    for position, draft in enumerate(drafts, start=1):
        kind = templates.event_type(draft.event_type)
        items.append(
            {
                "key": draft.key,
                "event_type": draft.event_type,
                "phase": kind.phase,
                "subject": draft.subject,
                "refs": dict(draft.refs),
                "metadata": dict(draft.metadata),
                "request_id": request_context.request_id(),
                "effective_at": draft.effective_at.isoformat() if draft.effective_at else None,
                "timeout": draft.timeout,
                "hold_key": draft.hold_key,
                "linked": draft.linked,
                "refuse_locked": draft.refuse_locked,
                "flags": sorted(draft.flags),
            }
        )
        for posting in _sends(draft, kind):
            number.append(position)
            debit.append(posting.debit)
            credit.append(posting.credit)
            asset.append(posting.amount.asset)
            amount.append(posting.amount.minor)
    return items, (number, debit, credit, asset, amount)  # type: ignore[return-value]  # five lists, two types


def _sends(draft: Draft, kind: templates.EventType) -> list[Posting]:
    postings = kind.postings(draft.amounts, draft.accounts)
    return postings if draft.flags else [posting for posting in postings if posting.amount.minor != 0]
