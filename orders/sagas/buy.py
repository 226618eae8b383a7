"""The buy saga: a table `state → step`; the order's state is its only program counter.

OpenPoly, buy-side flow:

1 user requests quote · 2 OpenPoly computes quote with current FX and fees · 3 user submits order ·
4 order record is created (orders.operations: quote accepted, trade reserved)
5 operator wallet is debited (`_request_debit`, `_debit`)
6 if debit succeeds, the AMM trade is executed (`_settle`)
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
from ledger.money import Money
from orders import trade_terms, transitions
from orders.locks import lock_order, lock_pool, lock_trade_of
from orders.models import Order
from orders.sagas.progress import MOVED, Progress, Stopped, Wait
from orders.sagas.watching import watch
from orders.venue_adapters import venue_of
from orders.venue_port import Executed, Refused
from wallets import remote_operations
from wallets.gateway_terms import gateway_terms
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown
from wallets.remote_operations import Leg, Performed

_State = Order.State
_NOT_OVER = (Cause.IN_FLIGHT, Cause.NOT_ASKED)


def advance(order: Order) -> Progress:
    """Take the one step that the order's state calls for."""
    step = _STEPS.get(_State(order.state))
    return step(order) if step else Stopped()


def debit_leg(order: Order) -> Leg:
    return _leg(order, "debit", version=1)


def reverse_leg(order: Order, *, version: int) -> Leg:
    return _leg(order, "reverse", version=version)


def _start(order: Order) -> Progress:
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state == _State.QUEUED:
            transitions.start(order, now=clock.now())
    return MOVED


def _request_debit(order: Order) -> Progress:
    """Ask for nothing that can no longer be of use: a halted pool or a passed `execute_by` fails the order here."""
    leg = debit_leg(order)
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state != _State.PROCESSING:
            return MOVED
        trade = lock_trade_of(order)
        pool = lock_pool(trade.pool_id)
        now = clock.now()
        if pool.halts.filter(lifted_at__isnull=True).exists():
            transitions.fail(
                order,
                trade=trade,
                how="fail",
                status_reason="pool_halted",
                release=trade_terms.release(trade),
                why=Why(transitions.SAGA, "pool halted before the debit"),
                now=now,
            )
        elif now > order.execute_by:
            transitions.fail(
                order,
                trade=trade,
                how="release",
                status_reason="debit_not_asked",
                release=trade_terms.release(trade),
                why=Why(transitions.SAGA, "not executed in time"),
                now=now,
            )
        else:
            transitions.request_debit(order, operation=remote_operations.birth(leg), now=now)
    return MOVED


def _debit(order: Order) -> Progress:
    """Operator wallet debited: confirmed goes on, rejected fails, unknown waits for lookups, then review."""
    performed = remote_operations.perform(
        debit_leg(order), waits=_still(order, _State.OPERATOR_DEBIT_PENDING), execute_by=order.execute_by
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
            transitions.fail(
                order,
                trade=trade,
                how="release",
                status_reason="debit_declined",
                release=trade_terms.release(trade),
                why=Why(transitions.SAGA, "debit declined", evidence={"reason": reason}),
                now=clock.now(),
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
                release=trade_terms.release(trade),
                why=Why(transitions.SAGA, "never asked in time"),
                now=now,
                also=[withdrawal],
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
    with db_transaction.atomic():
        order = lock_order(order.reference)
        if order.state != _State.OPERATOR_DEBITED:
            return MOVED
        trade = lock_trade_of(order)
        pool = lock_pool(trade.pool_id)
        execution = venue_of(pool).execute(pool=pool, order=order)
        now = clock.now()
        match execution:
            case Executed():
                transitions.complete(
                    order,
                    trade=trade,
                    settlement=trade_terms.settlement(trade),
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
                    drafts=[trade_terms.release(trade)],
                    why=Why(transitions.SAGA, "trade refused", evidence={"reason": reason}),
                    now=now,
                )
            case _:
                assert_never(execution)
    return MOVED


def _compensate(order: Order) -> Progress:
    """Reverse at the operator, then our books. Rejected or unknown at the cap: manual review."""
    version = remote_operations.latest_version(owner=order.reference, leg="reverse")
    performed = remote_operations.perform(
        reverse_leg(order, version=version), waits=_still(order, _State.COMPENSATION_PENDING)
    )
    outcome = performed.outcome
    if isinstance(outcome, Unknown) and (outcome.cause in _NOT_OVER or not performed.exhausted):
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


def _still(order: Order, state: Order.State) -> Callable[[], bool]:
    """Lock the order in the claim's transaction: nothing is asked for one that moved on meanwhile, or is frozen."""
    return lambda: bool(lock_order(order.reference).state == state)


def _leg(order: Order, name: str, *, version: int) -> Leg:
    assert order.operator_id is not None
    terms = gateway_terms(operator_id=order.operator_id, environment=order.environment)
    return Leg(
        owner=order.reference,
        name=name,
        version=version,
        gateway_id=terms.gateway_id,
        environment=order.environment,
        operator_id=order.operator_id,
        amount=Money(int(order.source_minor), order.source_asset),
        user_reference=order.user_reference,
        partner_order_id=order.partner_order_id,
    )


_STEPS: dict[Order.State, Callable[[Order], Progress]] = {
    _State.QUEUED: _start,
    _State.PROCESSING: _request_debit,
    _State.OPERATOR_DEBIT_PENDING: _debit,
    _State.OPERATOR_DEBITED: _settle,
    _State.COMPENSATION_PENDING: _compensate,
    _State.MANUAL_REVIEW: watch,
}
