"""Every move of quotes, orders, trades and review cases: the only caller of their FSM methods, through `moves.move`.

One function per step. Each moves the order once, with the moves of its quote, trade and case and all postings.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from ledger.controls import references
from ledger.controls.moves import Birth, Change, Why, move
from ledger.controls.moves_together import Step, move_together
from ledger.drafts import Draft
from orders.models import Market, Order, Quote, Return, ReviewCase, Trade
from orders.reviews import deadlines

SAGA = "saga"
SETTLED_OUTSIDE = "settled_outside"
"""The status reason of an order that two people ended by an agreement with its operator."""


def offer(quote: Quote, *, actor: str, now: datetime) -> None:
    move(Birth(quote), why=Why(actor, "quote requested"), now=now)


def cancel(quote: Quote, *, actor: str, now: datetime) -> None:
    move(Change(quote, "cancel"), why=Why(actor, "cancelled by the operator"), now=now)


def expire(quote: Quote, *, now: datetime) -> None:
    move(Change(quote, "expire"), why=Why("schedule", "its time is over"), now=now)


def accept(*, order: Order, quote: Quote, trade: Trade, reservation: Draft, actor: str, now: datetime) -> None:
    """Record the order, accept its quote and reserve its trade, in one transaction."""
    move(
        Birth(order),
        Change(quote, "accept", {"accepted_at": now, "order_reference": order.reference}),
        Birth(trade),
        why=Why(actor, "order submitted"),
        now=now,
        drafts=[reservation],
    )


def starting(order: Order) -> Step:
    return Step([Change(order, "start")], Why(SAGA, "taken up"), order.request_id)


def debit_requested(order: Order, *, operation: Birth) -> Step:
    """Write down what the wallet will be asked, with the move that says so."""
    return Step([Change(order, "request_debit"), operation], Why(SAGA, "debit requested"), order.request_id)


def debit_confirmed(order: Order, *, draft: Draft, why: Why) -> Step:
    return Step([Change(order, "confirm_debit", {"status_reason": ""})], why, order.request_id, [draft])


def completed(order: Order, *, trade: Trade, drafts: Sequence[Draft], why: Why, now: datetime) -> Step:
    changes = [
        Change(order, "complete", {"ended_at": now, "status_reason": ""}),
        Change(trade, "settle", {"ended_at": now}),
    ]
    return Step(changes, why, order.request_id, list(drafts))


def start(order: Order, *, now: datetime) -> None:
    _take(starting(order), now=now)


def request_debit(order: Order, *, operation: Birth, now: datetime) -> None:
    _take(debit_requested(order, operation=operation), now=now)


def confirm_debit(order: Order, *, draft: Draft, why: Why, now: datetime) -> None:
    _take(debit_confirmed(order, draft=draft, why=why), now=now)


def complete(order: Order, *, trade: Trade, drafts: Sequence[Draft], why: Why, now: datetime) -> None:
    _take(completed(order, trade=trade, drafts=drafts, why=why, now=now), now=now)


def take_together(steps: Sequence[Step], *, now: datetime) -> None:
    """Take the steps of several orders in one transaction: all stand, or none."""
    if steps:
        move_together(steps, now=now)


def _take(step: Step, *, now: datetime) -> None:
    """Take one step by itself, under the present request."""
    move(*step.changes, why=step.why, now=now, drafts=step.drafts)


def fail(
    order: Order,
    *,
    trade: Trade,
    how: str,
    status_reason: str,
    drafts: Sequence[Draft],
    why: Why,
    now: datetime,
    also: Sequence[Change | Birth] = (),
) -> None:
    """End the order with nothing moved; its reservation goes back (`how`: release or fail, the trade's move)."""
    move(
        Change(order, "fail", {"status_reason": status_reason, "ended_at": now}),
        Change(trade, how, {"ended_at": now}),
        *also,
        why=why,
        now=now,
        drafts=drafts,
    )


def request_credit(
    order: Order, *, trade: Trade, drafts: Sequence[Draft], operation: Birth, why: Why, now: datetime
) -> None:
    """Settle our own books and write down what the wallet will be credited, in one transaction."""
    move(
        Change(order, "request_credit", {"status_reason": ""}),
        Change(trade, "settle", {"ended_at": now}),
        operation,
        why=why,
        now=now,
        drafts=drafts,
    )


def credit_again(order: Order, *, operation: Birth | None, why: Why, now: datetime) -> None:
    """Let the credit be asked again: under its key, or under the next version that people decided on."""
    moves: list[Change | Birth] = [Change(order, "request_credit", {"status_reason": ""})]
    move(*moves, *([operation] if operation else []), why=why, now=now)


def credited(order: Order, *, draft: Draft, why: Why, now: datetime) -> None:
    """The payout reached the operator's wallet: success."""
    move(Change(order, "complete", {"ended_at": now, "status_reason": ""}), why=why, now=now, drafts=[draft])


def credited_outside(order: Order, *, draft: Draft, why: Why, now: datetime) -> None:
    """The payout was made by agreement, outside the protocol: finance nets it."""
    values = {"ended_at": now, "status_reason": SETTLED_OUTSIDE}
    move(Change(order, "complete", values), why=why, now=now, drafts=[draft])


def unwind(order: Order, *, trade: Trade, reversal: Draft, why: Why, now: datetime) -> None:
    """Turn a settled sell round, since its payout surely never arrived: no posting of it is left standing."""
    move(
        Change(order, "fail", {"status_reason": "unwound_by_review", "ended_at": now}),
        Change(trade, "take_back", {"ended_at": now}),
        why=why,
        now=now,
        drafts=[reversal],
    )


def begin_compensation(
    order: Order,
    *,
    operation: Birth | None,
    trade: Trade | None,
    how: str,
    status_reason: str,
    drafts: Sequence[Draft],
    why: Why,
    now: datetime,
    also: Sequence[Change | Birth] = (),
) -> None:
    """Start to give the debit back: the reservation goes (`how`: release or fail) and the reverse is written down."""
    changes: list[Change | Birth] = [Change(order, "begin_compensation", {"status_reason": status_reason})]
    if trade is not None:
        changes.append(Change(trade, how, {"ended_at": now}))
    if operation is not None:
        changes.append(operation)
    move(*changes, *also, why=why, now=now, drafts=drafts)


def try_again(
    trade: Trade, retry: Trade, *, drafts: Sequence[Draft], why: Why, now: datetime, also: Sequence[Change | Birth] = ()
) -> None:
    """Release a trade whose order lives, and reserve a new one that names it: the order tries once more, where it is."""
    move(Change(trade, "release", {"ended_at": now}), Birth(retry), *also, why=why, now=now, drafts=drafts)


def compensate(order: Order, *, draft: Draft, why: Why, now: datetime, status_reason: str = "") -> None:
    """The debit was given back. Why stays as it is, unless `status_reason` says otherwise."""
    values = {"ended_at": now, **({"status_reason": status_reason} if status_reason else {})}
    move(Change(order, "compensate", values), why=why, now=now, drafts=[draft])


def compensated_outside(order: Order, *, draft: Draft, why: Why, now: datetime) -> None:
    """The debit was given back by agreement, outside the protocol: finance nets it."""
    values = {"ended_at": now, "status_reason": SETTLED_OUTSIDE}
    move(Change(order, "compensate", values), why=why, now=now, drafts=[draft])


def stop_for_review(order: Order, *, reason: str, next_action: str, why: Why, now: datetime) -> ReviewCase:
    """Stop the automatic path and open the case that people work."""
    case = ReviewCase(
        reference=references.new(references.Prefix.REVIEW),
        environment=order.environment,
        operator_id=order.operator_id,
        subject=order.reference,
        reason=reason,
        next_action=next_action,
        asset=order.wallet_amount.asset,
        amount_minor=Decimal(order.wallet_amount.minor),
        due_at=deadlines.due_at(reason, now=now),
    )
    move(Change(order, "stop_for_review", {"status_reason": reason}), Birth(case), why=why, now=now)
    return case


def open_return(found: Return, *, reason: str, next_action: str, why: Why, now: datetime) -> ReviewCase:
    """Record what came after the end of an order, with the case that people work."""
    case = _case_of_return(found, reason=reason, next_action=next_action, now=now)
    move(Birth(found), Birth(case), why=why, now=now)
    return case


def adjust_return(
    found: Return, *, trade: Trade | None, draft: Draft, next_action: str, why: Why, now: datetime
) -> ReviewCase:
    """Book what happened against transit (a trade taken back is returned with it); open the case of what becomes of it."""
    taken_back = [Change(trade, "take_back")] if trade is not None else []
    move(*taken_back, Change(found, "adjust"), why=why, now=now, drafts=[draft])
    case = _case_of_return(found, reason="return_adjusted", next_action=next_action, now=now)
    move(Birth(case), why=why, now=now)
    return case


def dismiss_return(found: Return, *, why: Why, now: datetime) -> None:
    move(Change(found, "dismiss", {"ended_at": now}), why=why, now=now)


def request_give_back(operation: Birth, *, why: Why, now: datetime) -> None:
    """Write down what the operator will be asked; the return moves when it is confirmed."""
    move(operation, why=why, now=now)


def withdraw(operation: Change, *, why: Why, now: datetime) -> None:
    """Give up what was written down and never asked."""
    move(operation, why=why, now=now)


def give_back_return(found: Return, *, draft: Draft, why: Why, now: datetime) -> None:
    move(Change(found, "give_back", {"ended_at": now}), why=why, now=now, drafts=[draft])


def keep_return(found: Return, *, draft: Draft, why: Why, now: datetime) -> None:
    move(Change(found, "keep", {"ended_at": now}), why=why, now=now, drafts=[draft])


def stop_return_for_review(found: Return, *, reason: str, next_action: str, why: Why, now: datetime) -> ReviewCase:
    """The operator did not give it back for sure: people decide. The return stays adjusted."""
    case = _case_of_return(found, reason=reason, next_action=next_action, now=now)
    move(Birth(case), why=why, now=now)
    return case


def assign(case: ReviewCase, *, values: dict[str, Any], why: Why, now: datetime) -> None:
    move(Change(case, "assign", values), why=why, now=now)


def propose(case: ReviewCase, *, why: Why, now: datetime) -> None:
    move(Change(case, "propose"), why=why, now=now)


def resolve(case: ReviewCase, *, resolution: str, why: Why, now: datetime) -> None:
    move(
        Change(case, "resolve", {"resolution": resolution, "resolved_by": why.actor, "resolved_at": now}),
        why=why,
        now=now,
    )


def _case_of_return(found: Return, *, reason: str, next_action: str, now: datetime) -> ReviewCase:
    return ReviewCase(
        reference=references.new(references.Prefix.REVIEW),
        environment=found.environment,
        operator_id=found.operator_id,
        subject=found.reference,
        reason=reason,
        next_action=next_action,
        asset=found.asset,
        amount_minor=found.amount_minor,
        due_at=deadlines.due_at(reason, now=now),
    )


def open_market(market: Market, *, drafts: Sequence[Draft], actor: str, now: datetime) -> None:
    move(Birth(market), why=Why(actor, "market opened"), now=now, drafts=drafts)


def close_market(market: Market, *, reason: str, actor: str, now: datetime) -> None:
    move(Change(market, "close"), why=Why(actor, "market closed", evidence={"reason": reason}), now=now)


def resolve_market(
    market: Market, *, price_yes: Decimal, evidence: str, maker: str, checker: str, now: datetime
) -> None:
    """Say what one share of yes pays; one of no pays the rest."""
    why = Why(checker, "market resolved", evidence={"evidence": evidence, "proposed_by": maker, "approved_by": checker})
    move(Change(market, "resolve", {"price_yes": price_yes, "evidence": evidence, "ended_at": now}), why=why, now=now)


def void_market(
    market: Market, *, drafts: Sequence[Draft], evidence: str, maker: str, checker: str, now: datetime
) -> None:
    """Say that nothing can be said; the pool gets what it lacks to pay every position back."""
    why = Why(checker, "market voided", evidence={"evidence": evidence, "proposed_by": maker, "approved_by": checker})
    move(Change(market, "void", {"evidence": evidence, "ended_at": now}), why=why, now=now, drafts=drafts)
