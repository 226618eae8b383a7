"""The write door of the book: a list of drafts in one call of one SQL function (`ledger/sql/journal_post.sql`).

Joins the caller's transaction. At most one call per transaction, after every row lock (DESIGN.md section 3).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString
from uuid import UUID

from ledger import template_balances
from ledger.books import number_of
from ledger.chart import active
from ledger.chart.active import Active
from ledger.chart.mappings import Phase
from ledger.chart.template import Template, address_of, amount_of
from ledger.controls import arrays, clock, prepared, request_context
from ledger.controls.refusals import Refusal
from ledger.drafts import Draft, Posting
from ledger.environments import Environment
from ledger.money import Money
from ledger.numscript import Execution, text

_CALL: Final = (
    "SELECT code, transaction_id, failed_position, amounts FROM ledger_post(%s::smallint, %s::jsonb, %s::integer[],"
    " %s::text[], %s::text[], %s::text[], %s::numeric[], %s::timestamptz)"
    " WHERE (SELECT stamp FROM ledger_template_stamp) = %s ORDER BY item"
)
"""The condition is decided before the function is called: with outdated templates nothing is posted, and no row comes."""

_CALL_ONE: Final = (
    "SELECT code, transaction_id FROM ledger_post_one(%s::smallint, %s::bigint, %s, %s, %s, %s, %s::jsonb, %s::jsonb, %s,"
    " %s::timestamptz, %s::numeric, %s::bigint, %s, %s, %s, %s::numeric, %s::timestamptz)"
)
"""The short way of one posting by itself: no code means that this is not such a case, and that nothing was written."""

_READINGS: Final = 5


_Made = tuple[Draft, Template, Execution]


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


class TemplatesUnsettled(RuntimeError):
    """The templates changed as often as they were read; nothing was posted."""


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
    current = active.active(environment)
    for _ in range(_READINGS):
        try:
            made = _executed(environment, current, drafts, now)
        except Refusal:
            newest = active.fresh(environment)
            if newest is current:
                raise
            current = newest
            continue
        instant = now or clock.parameter()
        if len(made) == 1 and _is_short(*made[0]):
            ((code, transaction_id),) = _called(_CALL_ONE, _one(environment, current.stamp, *made[0], instant))
            if code is not None:
                return [Result(code, transaction_id, None if code == "created" else 0)]
        rows = _called(_CALL, [*_list(environment, made), instant, current.stamp])
        if rows:
            return [
                Result(code, transaction_id, place, tuple(map(int, amounts)) if amounts else None)
                for code, transaction_id, place, amounts in rows
            ]
        current = active.read(environment)
    raise TemplatesUnsettled


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


def postings_of(draft: Draft, *, environment: str = Environment.LIVE) -> list[Posting]:
    """Return the postings that a draft stands for now (the preview of it). A send of 0 posts nothing.

    Looks at balances without locking, where the template depends on them. A release shows what it gives back.
    """
    template = active.fresh(environment).template(draft.event_type)
    done = template_balances.previewed(environment, template, draft)
    return [
        Posting(address_of(sent.source), address_of(sent.destination), Money(amount_of(sent), sent.asset))
        for sent in done.postings
    ]


def _called(call: LiteralString, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
    """Call a function in Django's transaction, as a statement that the server has parsed and planned once."""
    return prepared.unwatched_rows(call, arguments)


def _executed(environment: str, current: Active, drafts: Sequence[Draft], now: datetime | None) -> list[_Made]:
    """Return each draft with its template and what that makes of it."""
    templates = [current.template(draft.event_type) for draft in drafts]
    if all(template.balance_free for template in templates):
        executions = [
            template.sends(draft, template.given(draft))
            if template.phase is not Phase.RELEASE
            else template_balances.NOTHING
            for template, draft in zip(templates, drafts, strict=True)
        ]
    else:
        executions = template_balances.executed(environment, list(zip(templates, drafts, strict=True)), now=now)
    return list(zip(drafts, templates, executions, strict=True))


def _is_short(draft: Draft, template: Template, done: Execution) -> bool:
    """Whether this is what `ledger_post_one` takes, as far as can be said here."""
    return (
        len(done.postings) == 1
        and (template.phase is Phase.PLAIN or template.phase is Phase.RESERVE)
        and draft.hold_key is None
        and not draft.linked
        and not draft.flags
    )


def _one(
    environment: str, stamp: int, draft: Draft, template: Template, done: Execution, instant: datetime | None
) -> list[object]:
    """Return the arguments of `ledger_post_one`. Numbers go as text: psycopg would else make a statement per size."""
    (sent,) = done.postings
    metadata = _metadata(draft, done)
    return [
        number_of(environment),
        str(stamp),
        draft.key,
        draft.event_type,
        template.phase.value,
        draft.subject,
        json.dumps(dict(draft.refs)) if draft.refs else "{}",
        json.dumps(metadata) if metadata else "{}",
        draft.request_id or request_context.request_id(),
        draft.effective_at,
        str(draft.timeout),
        str(template.version),
        address_of(sent.source),
        address_of(sent.destination),
        sent.asset,
        str(amount_of(sent)),
        instant,
    ]


def _list(environment: str, made: Sequence[_Made]) -> list[object]:
    """Return the first arguments of `ledger_post`: book, items, and the five arrays of postings."""
    items: list[dict[str, object]] = []
    number: list[int] = []
    debit: list[str] = []
    credit: list[str] = []
    asset: list[str] = []
    amount: list[int] = []
    request_id = request_context.request_id()
    for position, (draft, template, done) in enumerate(made, start=1):
        items.append(_item(draft, template, done, draft.request_id or request_id))
        for sent in done.postings:
            number.append(position)
            debit.append(address_of(sent.source))
            credit.append(address_of(sent.destination))
            asset.append(sent.asset)
            amount.append(amount_of(sent))
    return [
        number_of(environment),
        json.dumps(items),
        arrays.integers(number),
        arrays.texts(debit),
        arrays.texts(credit),
        arrays.texts(asset),
        arrays.integers(amount),
    ]


def _metadata(draft: Draft, done: Execution) -> dict[str, str]:
    """Return the draft's metadata with what its template adds."""
    if not done.transaction_metadata:
        return dict(draft.metadata)
    return {**draft.metadata, **{key: text(value) for key, value in done.transaction_metadata.items()}}


def _item(draft: Draft, template: Template, done: Execution, request_id: str) -> dict[str, object]:
    """Return what the function takes of a draft. What is as the function takes it anyway is left out: lists are long."""
    item: dict[str, object] = {
        "key": draft.key,
        "event_type": draft.event_type,
        "subject": draft.subject,
        "template_version": template.version,
    }
    if template.phase is not Phase.PLAIN:
        item["phase"] = template.phase
    if request_id:
        item["request_id"] = request_id
    if draft.refs:
        item["refs"] = dict(draft.refs)
    if metadata := _metadata(draft, done):
        item["metadata"] = metadata
    if draft.effective_at is not None:
        item["effective_at"] = draft.effective_at.isoformat()
    if draft.timeout:
        item["timeout"] = draft.timeout
    if draft.hold_key is not None:
        item["hold_key"] = draft.hold_key
    if draft.linked:
        item["linked"] = True
    if draft.refuse_locked:
        item["refuse_locked"] = True
    if draft.flags:
        item["flags"] = sorted(draft.flags)
    return item
