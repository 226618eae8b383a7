"""Postings that a house key or a person asks for directly: always through an event type, never into a flow's own keys.

1 the event type exists, is not one that takes two people, and its parameters fit it
2 the keys are nobody's flow: one that begins with a reference of ours belongs to its saga; pay-ins, settlements and the
  sandbox's fundings have names of their own
3 one call of the write door; a refusal is the caller's to commit (its key stays failed) or to roll back
4 who listens to postings outside flows is told of what was written
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db.models import OuterRef, Subquery

from ledger import balances, journal, outside_flows
from ledger.balances import Balance
from ledger.chart import active, stored
from ledger.chart.entries import is_at
from ledger.controls.refusals import Malformed, Refusal
from ledger.drafts import Draft
from ledger.models import Posting as StoredPosting
from ledger.models import Transaction

TWO_PEOPLE: Final = frozenset({"MANUAL_ADJUSTMENT", "OPERATOR_SETTLEMENT"})
"""Event types that one person proposes and another approves, always (DESIGN.md section 10)."""

MOST_POSTINGS: Final = 10_000

_OF_A_FLOW = re.compile(r"([a-z]{2,4}_[0-9a-z]{26}|payin|settlement|sandbox)(:.*)?", re.ASCII | re.DOTALL)


class AccountDoesNotFit(Refusal):
    """An account is not one that the event type's mapping names."""

    code = "account_does_not_fit"


class KeyOfAFlow(Refusal):
    """This ledger key belongs to a flow of ours, such as an order, payout or pay-in: only its own steps use it."""

    code = "key_of_a_flow"


class HoldOfAnotherType(Refusal):
    """This event type ends the holds of its own reserve type, as its mapping says, and no others."""

    code = "hold_of_another_type"


class TwoPeopleNeeded(Refusal):
    """This event type is proposed by one person and approved by another; a list cannot hold it."""

    code = "two_people_needed"


class TooManyPostings(Malformed):
    """A list has at most 10,000 postings."""

    code = "too_many_postings"


class KeyTaken(Refusal):
    """Something else is posted under this ledger key."""

    code = "ledger_key_taken"
    status = 409


@dataclass(frozen=True, slots=True)
class Posted:
    """One draft with what became of it; `ledger_ids` are those of the transaction that stands under its key."""

    draft: Draft
    result: journal.Result
    ledger_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a list came to, and the balances of every account that it touched, afterwards."""

    posted: Sequence[Posted]
    balances: Sequence[Balance]


def check(*, environment: str, drafts: Sequence[Draft]) -> None:
    """Raise why one of these may not be posted from outside a flow: KeyOfAFlow or what `check_accounts` raises."""
    for draft in drafts:
        for key in (draft.key, draft.hold_key):
            if key is not None and _OF_A_FLOW.fullmatch(key):
                raise KeyOfAFlow(f"{key} belongs to a flow.")
    check_accounts(environment=environment, drafts=drafts)


def check_accounts(*, environment: str, drafts: Sequence[Draft]) -> None:
    """Raise AccountDoesNotFit unless each account is one that its event type's mapping names."""
    chart, current = stored.active_chart(environment), active.active(environment)
    for draft in drafts:
        declared = current.template(draft.event_type).mapping.accounts
        for role, address in draft.accounts.items():
            entry = chart.entry_of(address)
            if role not in declared:
                raise AccountDoesNotFit(f"{draft.event_type} has no account {role}.", account=role)
            if entry is None or not is_at(entry.gl_code, declared[role].codes):
                raise AccountDoesNotFit(f"{draft.event_type} takes no such {role}: {address}.", account=role)


def post(*, environment: str, drafts: Sequence[Draft], now: datetime) -> Outcome:
    """Post a list in one call, in the caller's transaction, and say what became of each.

    Raises what `check` raises, TwoPeopleNeeded, TooManyPostings, HoldOfAnotherType or what a template refuses: the caller
    rolls back. A draft that the ledger refuses raises nothing: the others stand, and a key that failed for a transient
    reason stays failed.
    """
    for draft in drafts:
        if draft.event_type in TWO_PEOPLE:
            raise TwoPeopleNeeded(f"{draft.event_type} is proposed by one person and approved by another.")
    check(environment=environment, drafts=drafts)
    outside_flows.prepare(environment=environment, drafts=drafts)
    results = journal.post(environment=environment, drafts=drafts, now=now)
    _check_holds(environment, drafts, results)
    outside_flows.tell(environment=environment, results=results, now=now)
    standing = [result.transaction_id for result in results if result.stands and result.transaction_id is not None]
    rows = _rows(standing)
    if sum(map(len, rows.values())) > MOST_POSTINGS:
        raise TooManyPostings
    touched = {
        (account.address, row.asset)
        for of_one in rows.values()
        for row in of_one
        for account in (row.debit_account, row.credit_account)
    }
    found = balances.read(environment=environment, accounts=sorted(touched)) if touched else {}
    posted = [
        Posted(
            draft,
            result,
            [row.reference for row in rows.get(result.transaction_id, ())] if result.transaction_id else [],
        )
        for draft, result in zip(drafts, results, strict=True)
    ]
    return Outcome(posted, [found[key] for key in sorted(found)])


def refusal_of(posted: Posted) -> Refusal | None:
    """Return the refusal that a single draft's result stands for, or None when it stands."""
    code = posted.result.code
    if posted.result.stands:
        return None
    if code.startswith("exists_with_different"):
        return KeyTaken(f"Something else is posted under {posted.draft.key!r}: {code}.", ledger_code=code)
    return journal.PostingRefused(
        journal.refusal_told(posted.draft.event_type, code),
        ledger_code=code,
        event_type=posted.draft.event_type,
        failed_posting=posted.result.failed_position,
    )


def _check_holds(environment: str, drafts: Sequence[Draft], results: Sequence[journal.Result]) -> None:
    """Raise HoldOfAnotherType where a draft has ended a hold that its mapping does not name: by now the hold is certain."""
    ending = {
        result.transaction_id: draft
        for draft, result in zip(drafts, results, strict=True)
        if draft.hold_key is not None and result.code == "created" and result.transaction_id is not None
    }
    if not ending:
        return
    current = active.active(environment)
    reserve = Transaction.objects.filter(pk=OuterRef("hold_id")).values("event_type")
    for pk, reserved_as in Transaction.objects.filter(pk__in=ending).values_list("pk", Subquery(reserve)):
        draft = ending[pk]
        if current.template(draft.event_type).mapping.ends != reserved_as:
            raise HoldOfAnotherType(
                f"{draft.event_type} does not end {draft.hold_key}, which {reserved_as} placed.",
                event_type=draft.event_type,
            )


def _rows(transactions: Sequence[UUID]) -> Mapping[UUID, list[StoredPosting]]:
    found: dict[UUID, list[StoredPosting]] = {}
    query = StoredPosting.objects.filter(transaction_id__in=transactions).select_related(
        "debit_account", "credit_account"
    )
    for row in query.order_by("transaction_id", "position"):
        found.setdefault(row.transaction_id, []).append(row)
    return found
