"""Every move of payouts: the only caller of their FSM methods. Where the intent moves too, it moves first.

One function per step; all postings of a step are one ledger call. Lock order: intent, payout, remote operation, case,
wallet, limit counters by id.
"""

from datetime import date, datetime
from decimal import Decimal

from ledger import movements
from ledger.controls import references
from ledger.controls.moves import Birth, Change, Why, move
from ledger.drafts import Draft
from ledger.journal import Result
from ledger.money import Money
from orders import intent_history, intent_moves, payout_terms
from orders.intent_history import Entry
from orders.models import Intent, Payout, Return, ReviewCase
from orders.reviews import deadlines
from wallets import holders, payment_reads

SAGA = "payout saga"


def submit(payout: Payout, *, operation: Birth, now: datetime) -> None:
    """Take the payout up, and write down what the channel will be asked."""
    move(Change(payout, "submit"), operation, why=Why(SAGA, "payout saga requested"), now=now)


def wait(payout: Payout, *, next_requery_at: datetime, requeries: int, why: Why, now: datetime) -> None:
    move(Change(payout, "wait", {"next_requery_at": next_requery_at, "requeries": requeries}), why=why, now=now)


def requery(payout: Payout, *, now: datetime) -> None:
    move(Change(payout, "requery", {"next_requery_at": None}), why=Why(SAGA, "the backoff is due"), now=now)


def confirm(payout: Payout, *, why: Why, now: datetime) -> None:
    """The bank did it: the hold is to be posted."""
    move(Change(payout, "confirm", {"next_requery_at": None}), why=why, now=now)


def reject(payout: Payout, *, why: Why, now: datetime) -> None:
    """The bank surely did not: the hold is to be voided."""
    move(Change(payout, "reject", {"next_requery_at": None}), why=why, now=now)


def give_up(payout: Payout, *, why: Why, now: datetime) -> None:
    """The requery cap is reached, by the lookup that has just been made."""
    change = {"next_requery_at": None, "requeries": payout.requeries + 1}
    move(Change(payout, "give_up", change), why=why, now=now)


def open_case(intent: Intent, payout: Payout, *, reason: str, next_action: str, why: Why, now: datetime) -> ReviewCase:
    """Open the case that people work; the automatic path has stopped. An intent in review stays there."""
    case = ReviewCase(
        reference=references.new(references.Prefix.REVIEW),
        environment=intent.environment,
        operator_id=intent.operator_id,
        subject=intent.reference,
        reason=reason,
        next_action=next_action,
        asset=payout.asset,
        amount_minor=Decimal(payout_terms.debited(intent).minor),
        due_at=deadlines.due_at(reason, now=now),
    )
    also: list[Change | Birth] = [Change(payout, "stop_for_review"), Birth(case)]
    if intent.state == Intent.State.MANUAL_REVIEW:
        move(*also, why=why, now=now)
    else:
        intent_moves.stop_for_review(intent, status_reason=reason, why=why, now=now, also=also)
    return case


def settle(
    intent: Intent,
    payout: Payout,
    *,
    response_id: str,
    settlement_date: date | None,
    why: Why,
    now: datetime,
    posts: bool = True,
) -> None:
    """Post the hold (unless it was posted before): the funds have left. The last event carries the reference number."""
    results = intent_moves.settle(
        intent,
        drafts=[payout_terms.settle(intent, payout)] if posts else [],
        why=why,
        now=now,
        values={"response_id": response_id, "settlement_date": settlement_date},
        also=[Change(payout, "complete", {"ended_at": now})],
    )
    debited = payout_terms.debited(intent)
    line = _entry(
        intent,
        kind="payout",
        signed_minor=-debited.minor,
        posts=True,
        held_minor=-debited.minor,
        transaction=results[0] if posts else None,
    )
    intent_history.record(environment=intent.environment, entries=[line], now=now)


def release(intent: Intent, payout: Payout, *, status_reason: str, why: Why, now: datetime, voids: bool = True) -> None:
    """Void the hold (unless it was before): the funds are the wallet's again, and the limits get back what was taken."""
    results = intent_moves.fail(
        intent,
        status_reason=status_reason,
        why=why,
        now=now,
        drafts=[payout_terms.release(intent, payout)] if voids else [],
        also=[Change(payout, "complete", {"ended_at": now})],
    )
    debited = payout_terms.debited(intent)
    line = _entry(
        intent,
        kind="payout_release",
        signed_minor=debited.minor,
        posts=False,
        held_minor=-debited.minor,
        transaction=results[0] if voids else None,
    )
    intent_history.record(environment=intent.environment, entries=[line], now=now)


def adjust_return(found: Return, *, draft: Draft, why: Why, now: datetime) -> None:
    """Book what came after the payout's end against its wallet. Adjusted is the end: nothing stays in transit.

    The history's line shows what the wallet itself paid of a late payment; the rest it owes.
    """
    intent = Intent.objects.get(reference=found.intent_reference)
    wallet = holders.lock_wallet(intent.payer)
    (posted,) = move(Change(found, "adjust", {"ended_at": now}), why=why, now=now, drafts=[draft])
    came_back = found.kind == Return.Kind.PAYOUT_RETURNED
    address = found.terms["accounts"]["wallet"]
    assert posted.transaction_id is not None, "post_all raises what does not stand"
    assert address == intent.terms["accounts"]["wallet"], "a return is booked where its payout was"
    line = Entry(
        wallet=intent.payer,
        operator_id=found.operator_id or 0,
        address=address,
        subject=found.reference,
        kind="payout_return" if came_back else "payout_late",
        amount=Money(
            movements.gained(transaction_id=posted.transaction_id, address=address, asset=found.asset), found.asset
        ),
        transaction_id=posted.transaction_id,
    )
    intent_history.record(environment=found.environment, entries=[line], now=now)
    holders.note_movement(wallet, now=now)
    if not came_back:  # it may have come back meanwhile, and was of no use then
        payment_reads.hasten([str(found.terms["payout"])], now=now, over_too=True)


def held(intent: Intent, *, reserved: Result) -> Entry:
    """Return the history's line of a payout that was authorized: held, not gone yet."""
    debited = payout_terms.debited(intent)
    return _entry(
        intent,
        kind="payout_hold",
        signed_minor=-debited.minor,
        posts=False,
        held_minor=debited.minor,
        transaction=reserved,
    )


def _entry(
    intent: Intent, *, kind: str, signed_minor: int, posts: bool, held_minor: int, transaction: Result | None
) -> Entry:
    assert intent.operator_id is not None
    return Entry(
        wallet=intent.payer,
        operator_id=intent.operator_id,
        address=intent.terms["accounts"]["wallet"],
        subject=intent.reference,
        kind=kind,
        amount=Money(signed_minor, intent.asset),
        transaction_id=transaction.transaction_id if transaction is not None else None,
        posts=posts,
        held_minor=held_minor,
    )
