"""The buy saga: a table `state → step`; the order's state is its only program counter.

OpenPoly, buy-side flow:

1 user requests quote · 2 OpenPoly computes quote with current FX and fees · 3 user submits order ·
4 order record is created (orders.operations: quote accepted, trade reserved)
5 operator wallet is debited (`_request_debit`, `_debit`)
6 if debit succeeds, the AMM trade is executed (`_settle`; at an outside venue: `orders.sagas.outside`)
7 final order state is committed (with 6, in one transaction)
8 a webhook event is emitted (by every move)

Debit failed: the order fails, no trade. Debit unknown: three quick lookups, then manual review; no trade until
resolved. Debited but surely not traded: compensation (`_compensate`). While a case is open or the order is frozen,
lookups go on and add evidence (`watch`).
"""

from collections.abc import Callable
from typing import assert_never

from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.moves import Why
from orders import trade_holds, trade_terms, transitions
from orders.locks import lock_order, lock_pool, lock_trade_of
from orders.models import Order, Pool, Trade
from orders.sagas import outside, releasing, venue_legs
from orders.sagas.progress import MOVED, Progress, Wait
from orders.sagas.wallet_legs import debit_leg as debit_leg
from orders.sagas.wallet_legs import reverse_leg as reverse_leg
from orders.sagas.watching import look_back, watch
from orders.venue_adapters import venue_of
from orders.venue_port import Executed, Refused
from wallets import remote_operations
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown
from wallets.remote_operations import Performed

_State = Order.State
NOT_OVER = (Cause.IN_FLIGHT, Cause.NOT_ASKED)


def advance(order: Order) -> Progress:
    """Take the one step that the order's state calls for."""
    step = _STEPS.get(_State(order.state))
    return step(order) if step else look_back(order)


def start(order: Order) -> Progress:
    """Take the order up: the first step of every saga."""
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state == _State.QUEUED:
            transitions.start(order, now=clock.now())
    return MOVED


def _request_debit(order: Order) -> Progress:
    """Ask for nothing that can no longer be of use: a halted pool or a passed `execute_by` fails the order here.

    An outside venue that can reserve is asked to first.
    """
    leg = debit_leg(order)
    reserves_first = False
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state != _State.PROCESSING:
            return MOVED
        trade = lock_trade_of(order)
        legs = venue_legs.lock(trade)
        pool = lock_pool(trade.pool_id)
        now = clock.now()
        if failure := trade_holds.failure(trade) or venue_of(pool).failure(pool=pool, side=order.side):
            transitions.fail(
                order,
                trade=trade,
                how="fail",
                status_reason=failure,
                drafts=trade_holds.releases(trade),
                why=Why(transitions.SAGA, f"{failure} before the debit"),
                now=now,
                also=releasing.given_up(order, trade, now=now),
            )
        elif reserves_first := legs.are_to_be_reserved(pool):
            pass
        elif now > order.execute_by:
            transitions.fail(
                order,
                trade=trade,
                how="release",
                status_reason="debit_not_asked",
                drafts=trade_holds.releases(trade),
                why=Why(transitions.SAGA, "not executed in time"),
                now=now,
                also=releasing.given_up(order, trade, now=now),
            )
        else:
            transitions.request_debit(order, operation=remote_operations.birth(leg), now=now)
    return outside.reserve(order.reference) if reserves_first else MOVED


def _debit(order: Order) -> Progress:
    """Operator wallet debited: confirmed goes on, rejected fails, unknown waits for lookups, then review."""
    performed = remote_operations.perform(
        debit_leg(order), waits=still(order, _State.OPERATOR_DEBIT_PENDING), execute_by=order.execute_by
    )
    match performed.outcome:
        case Confirmed(remote_ref):
            return _debit_confirmed(order, remote_ref)
        case Rejected(reason):
            return _debit_rejected(order, reason)
        case Unknown(cause):
            return _debit_unknown(order, cause, performed)
        case _:
            assert_never(performed.outcome)


def _debit_confirmed(order: Order, remote_ref: str) -> Progress:
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state == _State.OPERATOR_DEBIT_PENDING:
            trade = lock_trade_of(order)
            transitions.confirm_debit(
                order,
                draft=trade_terms.debit_confirmed(order, trade),
                why=Why(transitions.SAGA, "debit confirmed", evidence={"remote_ref": remote_ref}),
                now=clock.now(),
            )
    return MOVED


def _debit_rejected(order: Order, reason: str) -> Progress:
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state == _State.OPERATOR_DEBIT_PENDING:
            trade = lock_trade_of(order)
            now = clock.now()
            transitions.fail(
                order,
                trade=trade,
                how="release",
                status_reason="debit_declined",
                drafts=trade_holds.releases(trade),
                why=Why(transitions.SAGA, "debit declined", evidence={"reason": reason}),
                now=now,
                also=releasing.given_up(order, trade, now=now),
            )
    return MOVED


def _debit_unknown(order: Order, cause: Cause, performed: Performed) -> Progress:
    if cause is Cause.IN_FLIGHT:
        return Wait(performed.wait)
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state != _State.OPERATOR_DEBIT_PENDING:
            return MOVED
        now = clock.now()
        if cause is Cause.NOT_ASKED:
            if now <= order.execute_by:
                return Wait(performed.wait)
            trade = lock_trade_of(order)
            withdrawal = remote_operations.withdrawal(debit_leg(order), now=now)
            if withdrawal is None:
                return Wait(performed.wait)
            transitions.fail(
                order,
                trade=trade,
                how="release",
                status_reason="debit_not_asked",
                drafts=trade_holds.releases(trade),
                why=Why(transitions.SAGA, "never asked in time"),
                now=now,
                also=[*releasing.given_up(order, trade, now=now), withdrawal],
            )
            return MOVED
        if not performed.exhausted:
            return Wait(performed.wait)
        transitions.stop_for_review(
            order,
            reason="debit_unknown",
            next_action="Look up the debit at the operator; prove it or its absence.",
            why=Why(transitions.SAGA, "debit unknown at the cap", evidence={"cause": cause.value}),
            now=now,
        )
    return MOVED


def _settle(order: Order) -> Progress:
    """The reservation settled at the quote's terms, however late; or, refused for sure, the debit to be given back."""
    executes_outside = False
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state != _State.OPERATOR_DEBITED:
            return MOVED
        trade = lock_trade_of(order)
        pool = lock_pool(trade.pool_id)
        now = clock.now()
        match _execution(pool, order, trade):
            case None:
                executes_outside = True
            case Executed():
                transitions.complete(
                    order,
                    trade=trade,
                    drafts=[trade_terms.settlement(trade)],
                    why=Why(transitions.SAGA, "trade settled"),
                    now=now,
                )
            case Refused(reason):
                transitions.begin_compensation(
                    order,
                    operation=remote_operations.birth(reverse_leg(order, version=1)),
                    trade=trade,
                    how="fail",
                    status_reason=reason,
                    drafts=trade_holds.releases(trade),
                    why=Why(transitions.SAGA, "trade refused", evidence={"reason": reason}),
                    now=now,
                )
    return outside.execute(order.reference) if executes_outside else MOVED


def _execution(pool: Pool, order: Order, trade: Trade) -> Executed | Refused | None:
    """Decide a reserved trade; None when an outside venue does. What is reserved no more is surely not traded here."""
    if pool.kind == Pool.Kind.OUTSIDE:
        return None
    ended = trade_holds.failure(trade)
    return Refused(ended) if ended else venue_of(pool).execute(pool=pool, order=order)


def _compensate(order: Order) -> Progress:
    """Reverse at the operator, then our books. Rejected or unknown at the cap: manual review."""
    version = remote_operations.latest_version(owner=order.reference, leg="reverse")
    performed = remote_operations.perform(
        reverse_leg(order, version=version), waits=still(order, _State.COMPENSATION_PENDING)
    )
    outcome = performed.outcome
    if isinstance(outcome, Unknown) and (outcome.cause in NOT_OVER or not performed.exhausted):
        return Wait(performed.wait)
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state != _State.COMPENSATION_PENDING:
            return MOVED
        now = clock.now()
        match outcome:
            case Confirmed(remote_ref):
                trade = lock_trade_of(order)
                transitions.compensate(
                    order,
                    draft=trade_terms.compensation(order, trade),
                    why=Why(transitions.SAGA, "debit given back", evidence={"remote_ref": remote_ref}),
                    now=now,
                )
            case Rejected(reason):
                transitions.stop_for_review(
                    order,
                    reason="reverse_rejected",
                    next_action="Agree with the operator how it is given back.",
                    why=Why(transitions.SAGA, "reverse rejected", evidence={"reason": reason}),
                    now=now,
                )
            case Unknown(cause):
                transitions.stop_for_review(
                    order,
                    reason="reverse_unknown",
                    next_action="Look up the reverse at the operator.",
                    why=Why(transitions.SAGA, "reverse unknown at the cap", evidence={"cause": cause.value}),
                    now=now,
                )
            case _:
                assert_never(outcome)
    return MOVED


def still(order: Order, state: Order.State) -> Callable[[], bool]:
    """Lock the order in the claim's transaction: nothing is asked for one that moved on meanwhile, or is frozen."""
    return lambda: bool(lock_order(order.reference).state == state)


_STEPS: dict[Order.State, Callable[[Order], Progress]] = {
    _State.QUEUED: start,
    _State.PROCESSING: _request_debit,
    _State.OPERATOR_DEBIT_PENDING: _debit,
    _State.OPERATOR_DEBITED: _settle,
    _State.COMPENSATION_PENDING: _compensate,
    _State.MANUAL_REVIEW: watch,
}
