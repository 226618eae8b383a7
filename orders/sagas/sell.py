"""The sell saga: a table `state → step`; the order's state is its only program counter.

OpenPoly, sell or redemption flow:

1 OpenPoly computes credits-equivalent proceeds · 2 OpenPoly computes external payout amount (orders.operations: both
  fixed by the quote; the position is held at acceptance)
3 OpenPoly settles internal state (`_settle`)
4 OpenPoly credits operator wallet (`_credit`)
5 OpenPoly emits success or failure webhook event (by every move)

A trade at an outside venue is executed there first, in *processing*, and reserved before that where the venue can
(`orders.sagas.outside`). Nothing moved, since the pool was halted or the time was over: the order fails and the hold is
released. Credit failed or
unknown: manual review; never blindly re-credited with a new idempotency key, remote state is confirmed through lookup
first. While a case is open or the order is frozen, lookups go on and add evidence (`watch`).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import assert_never

from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.moves import Why
from orders import trade_holds, trade_terms, transitions
from orders.locks import lock_order, lock_pool, lock_trade_of
from orders.models import Order, Pool, Trade
from orders.sagas import outside, releasing, venue_legs
from orders.sagas.buy import NOT_OVER, start, still
from orders.sagas.progress import MOVED, Progress, Wait
from orders.sagas.wallet_legs import credit_leg as credit_leg
from orders.sagas.watching import look_back, watch
from orders.venue_adapters import venue_of
from orders.venue_port import Executed, Refused
from wallets import remote_operations
from wallets.gateway_terms import gateway_terms
from wallets.outcomes import Confirmed, Rejected, Unknown
from wallets.remote_operations import Leg

_State = Order.State
_LOOK_AGAIN = timedelta(seconds=30)
"""How soon a sell that waits for its gateway's pause to end looks again."""


def advance(order: Order) -> Progress:
    """Take the one step that the order's state calls for."""
    step = _STEPS.get(_State(order.state))
    return step(order) if step else look_back(order)


def _settle(order: Order) -> Progress:
    """Own books settled at the quote's terms, and the credit written down; or, while nothing has moved, a sure failure.

    A gateway that is paused cannot be credited: the books wait with it, no longer than until `execute_by`.
    """
    credit = credit_leg(order, version=1)
    reserves_first = False
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state != _State.PROCESSING:
            return MOVED
        trade = lock_trade_of(order)
        legs = venue_legs.lock(trade)
        pool = lock_pool(trade.pool_id)
        now = clock.now()
        if legs.was_asked(venue_legs.EXECUTE):
            pass
        elif now > order.execute_by:
            return _failed(order, trade, how="release", status_reason="not_executed", cause="not in time", now=now)
        elif _paused(order, now):
            return Wait(_LOOK_AGAIN)
        elif pool.kind != Pool.Kind.OUTSIDE:
            return _settled_by(pool, order, trade, credit, now)
        elif failure := trade_holds.failure(trade) or venue_of(pool).failure(pool=pool, side=order.side):
            return _failed(
                order, trade, how="fail", status_reason=failure, cause=f"{failure} before the trade", now=now
            )
        else:
            reserves_first = legs.are_to_be_reserved(pool)
    return outside.reserve(order.reference) if reserves_first else outside.execute(order.reference)


def _settled_by(pool: Pool, order: Order, trade: Trade, credit: Leg, now: datetime) -> Progress:
    ended = trade_holds.failure(trade)
    execution = Refused(ended) if ended else venue_of(pool).execute(pool=pool, order=order)
    match execution:
        case Executed():
            transitions.request_credit(
                order,
                trade=trade,
                drafts=[trade_terms.settlement(trade)],
                operation=remote_operations.birth(credit),
                why=Why(transitions.SAGA, "own books settled"),
                now=now,
            )
            return MOVED
        case Refused(reason):
            return _failed(order, trade, how="fail", status_reason=reason, cause="trade refused", now=now)
        case _:
            assert_never(execution)


def _failed(order: Order, trade: Trade, *, how: str, status_reason: str, cause: str, now: datetime) -> Progress:
    transitions.fail(
        order,
        trade=trade,
        how=how,
        status_reason=status_reason,
        drafts=trade_holds.releases(trade),
        why=Why(transitions.SAGA, cause),
        now=now,
        also=releasing.given_up(order, trade, now=now),
    )
    return MOVED


def _paused(order: Order, now: datetime) -> bool:
    assert order.operator_id is not None
    return gateway_terms(operator_id=order.operator_id, environment=order.environment).paused(now)


def _credit(order: Order) -> Progress:
    """Operator wallet credited: confirmed is the end; rejected, or unknown at the cap, is for people."""
    version = remote_operations.latest_version(owner=order.reference, leg="credit")
    performed = remote_operations.perform(
        credit_leg(order, version=version),
        waits=still(order, _State.OPERATOR_CREDIT_PENDING),
        grounds=lambda: _trade_is_settled(order),
    )
    outcome = performed.outcome
    if isinstance(outcome, Unknown) and (outcome.cause in NOT_OVER or not performed.exhausted):
        return Wait(performed.wait)
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state != _State.OPERATOR_CREDIT_PENDING:
            return MOVED
        now = clock.now()
        match outcome:
            case Confirmed(remote_ref):
                transitions.credited(
                    order,
                    draft=trade_terms.credit_confirmed(order, lock_trade_of(order)),
                    why=Why(transitions.SAGA, "credit confirmed", evidence={"remote_ref": remote_ref}),
                    now=now,
                )
            case Rejected(reason):
                transitions.stop_for_review(
                    order,
                    reason="credit_rejected",
                    next_action="Find out why; credit again, settle outside, or unwind.",
                    why=Why(transitions.SAGA, "credit rejected", evidence={"reason": reason}),
                    now=now,
                )
            case Unknown(cause):
                transitions.stop_for_review(
                    order,
                    reason="credit_unknown",
                    next_action="Look up the credit at the operator; prove it or its absence.",
                    why=Why(transitions.SAGA, "credit unknown at the cap", evidence={"cause": cause.value}),
                    now=now,
                )
            case _:
                assert_never(outcome)
    return MOVED


def _trade_is_settled(order: Order) -> bool:
    return bool(lock_trade_of(order).state == Trade.State.SETTLED)


_STEPS: dict[Order.State, Callable[[Order], Progress]] = {
    _State.QUEUED: start,
    _State.PROCESSING: _settle,
    _State.OPERATOR_CREDIT_PENDING: _credit,
    _State.MANUAL_REVIEW: watch,
}
