"""The write door of the book: a list of drafts in one call of one SQL function (`ledger/sql/journal_post.sql`).

Joins the caller's transaction. At most one call per transaction, after every row lock (DESIGN.md section 3).
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

from ledger import template_balances
from ledger.books import number_of
from ledger.chart import active
from ledger.chart.active import Active
from ledger.chart.book_postings import BookPosting, in_book
from ledger.chart.mappings import Phase
from ledger.chart.template import Template
from ledger.controls import arrays, clock, prepared, request_context
from ledger.controls.refusals import Refusal
from ledger.drafts import Draft, Posting
from ledger.environments import Environment
from ledger.money import Money
from ledger.numscript import Value, text

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

_as_json: Final = json.JSONEncoder().encode

_Made = tuple[Draft, Template, Sequence[BookPosting], Mapping[str, Value]]
"""A draft, its template, what it posts, and the metadata that the template adds."""

_NO_METADATA: Final[Mapping[str, Value]] = {}


class Result(NamedTuple):
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
        if len(made) == 1 and _is_short(*made[0][:3]):
            ((code, transaction_id),) = _called(_CALL_ONE, _one(environment, current.stamp, made[0], instant))
            if code is not None:
                return [Result(code, transaction_id, None if code == "created" else 0)]
        rows = _called(_CALL, [*_list(environment, made), instant, current.stamp])
        if rows:
            return [Result._make(row) if row[3] is None else _result(*row) for row in rows]
        current = active.read(environment)
    raise TemplatesUnsettled


def post_all(*, environment: str, drafts: Sequence[Draft], now: datetime | None = None) -> list[Result]:
    """Post drafts or raise PostingRefused naming the first that was refused: the caller rolls back."""
    results = post(environment=environment, drafts=drafts, now=now)
    for draft, result in zip(drafts, results, strict=True):
        if not result.stands:
            raise PostingRefused(
                refusal_told(draft.event_type, result.code),
                ledger_code=result.code,
                event_type=draft.event_type,
            )
    return results


def refusal_told(event_type: str, code: str) -> str:
    """Say what the ledger refused, by its code, and of a locked date what may be done instead."""
    way_on = (
        " Its effective time lies in a locked date: leave it empty to post now, or have two people open the date again."
    )
    return f"{event_type} was refused by the ledger: {code}.{way_on if code == 'period_locked' else ''}"


def postings_of(draft: Draft, *, environment: str = Environment.LIVE) -> list[Posting]:
    """Return the postings that a draft stands for now (the preview of it). A send of 0 posts nothing.

    Looks at balances without locking, where the template depends on them. A release shows what it gives back.
    """
    template = active.fresh(environment).template(draft.event_type)
    done = template_balances.previewed(environment, template, draft)
    return [Posting(debit, credit, Money(amount, asset)) for debit, credit, asset, amount in in_book(done.postings)]


def _called(call: LiteralString, arguments: Sequence[object]) -> list[tuple[Any, ...]]:
    """Call a function in Django's transaction, as a statement that the server has parsed and planned once."""
    return prepared.unwatched_rows(call, arguments)


def _result(code: str, transaction_id: UUID | None, place: int | None, amounts: Sequence[Decimal]) -> Result:
    return Result(code, transaction_id, place, tuple(map(int, amounts)) or None)


def _executed(environment: str, current: Active, drafts: Sequence[Draft], now: datetime | None) -> list[_Made]:
    """Return each draft with its template and what that makes of it."""
    templates = [current.template(draft.event_type) for draft in drafts]
    if all(template.balance_free for template in set(templates)):
        return [_filled(draft, template) for draft, template in zip(drafts, templates, strict=True)]
    done = template_balances.executed(environment, list(zip(templates, drafts, strict=True)), now=now)
    return [
        (draft, template, in_book(one.postings), one.transaction_metadata)
        for draft, template, one in zip(drafts, templates, done, strict=True)
    ]


def _filled(draft: Draft, template: Template) -> _Made:
    """Fill in a template that depends on no balance: as it was planned, or else by the interpreter."""
    if template.phase is Phase.RELEASE:
        return draft, template, (), _NO_METADATA
    postings = template.plan.postings(draft) if template.plan is not None else None
    if postings is not None:
        return draft, template, postings, _NO_METADATA
    done = template.sends(draft, template.given(draft))
    return draft, template, in_book(done.postings), done.transaction_metadata


def _is_short(draft: Draft, template: Template, postings: Sequence[BookPosting]) -> bool:
    """Whether this is what `ledger_post_one` takes, as far as can be said here."""
    return (
        len(postings) == 1
        and (template.phase is Phase.PLAIN or template.phase is Phase.RESERVE)
        and draft.hold_key is None
        and not draft.linked
        and not draft.flags
    )


def _one(environment: str, stamp: int, made: _Made, instant: datetime | None) -> list[object]:
    """Return the arguments of `ledger_post_one`. Numbers go as text: psycopg would else make a statement per size."""
    draft, template, ((debit, credit, asset, amount),), added = made
    return [
        number_of(environment),
        str(stamp),
        draft.key,
        draft.event_type,
        template.phase.value,
        draft.subject,
        _as_json(dict(draft.refs)) if draft.refs else "{}",
        _as_json(_metadata(draft, added)) if draft.metadata or added else "{}",
        draft.request_id or request_context.request_id(),
        draft.effective_at,
        str(draft.timeout),
        str(template.version),
        debit,
        credit,
        asset,
        str(amount),
        instant,
    ]


def _list(environment: str, made: Sequence[_Made]) -> list[object]:
    """Return the first arguments of `ledger_post`: book, items, and the five arrays of postings."""
    request_id = request_context.request_id()
    items = [_item(draft, template, added, draft.request_id or request_id) for draft, template, _, added in made]
    number = [position for position, (_, _, postings, _) in enumerate(made, start=1) for _ in postings]
    columns = list(zip(*[posting for _, _, postings, _ in made for posting in postings], strict=True))
    debit, credit, asset, amount = columns or [()] * 4
    return [
        number_of(environment),
        f"[{','.join(items)}]",
        arrays.integers(number),
        arrays.texts(debit),
        arrays.texts(credit),
        arrays.texts(asset),
        arrays.integers(amount),
    ]


def _metadata(draft: Draft, added: Mapping[str, Value]) -> dict[str, str]:
    """Return the draft's metadata with what its template adds."""
    return {**draft.metadata, **{key: text(value) for key, value in added.items()}}


def _item(draft: Draft, template: Template, added: Mapping[str, Value], request_id: str) -> str:
    """Return what the function takes of a draft, as JSON, member by member: a dictionary of each costs twice as much.

    What is as the function takes it anyway is left out: lists are long.
    """
    item = f'{{{_fixed(template)},"key":{_as_json(draft.key)},"subject":{_as_json(draft.subject)}'
    if request_id:
        item += f',"request_id":{_as_json(request_id)}'
    if draft.refs:
        item += f',"refs":{_as_json(dict(draft.refs))}'
    if draft.metadata or added:
        item += f',"metadata":{_as_json(_metadata(draft, added))}'
    if draft.effective_at is not None:
        item += f',"effective_at":{_as_json(draft.effective_at.isoformat())}'
    if draft.timeout:
        item += f',"timeout":{draft.timeout}'
    if draft.hold_key is not None:
        item += f',"hold_key":{_as_json(draft.hold_key)}'
    if draft.linked:
        item += ',"linked":true'
    if draft.refuse_locked:
        item += ',"refuse_locked":true'
    if draft.flags:
        item += f',"flags":{_as_json(sorted(draft.flags))}'
    return item + "}"


@lru_cache(maxsize=1024)
def _fixed(template: Template) -> str:
    """Return the members of an item that are the same for each draft of a template."""
    phase = "" if template.phase is Phase.PLAIN else f',"phase":{_as_json(template.phase)}'
    return f'"event_type":{_as_json(template.mapping.event_type)},"template_version":{template.version}{phase}'
