"""Plain buys of built-in pools take their steps together, a transaction for all of a step, as `buy` takes them one by one.

1 taken up · 2 debit requested (pool open, in time) · 3 claimed for asking · 4 asked, each by itself in a thread
5 answers stored · 6 debit confirmed · 7 trade settled · 8 work row dropped

The order's state is the only program counter here too. What is not plain falls out of the step and is left to `buy`: a locked
or frozen row, a halted pool, a time that is over, a paused or failing gateway, an answer that is no confirmation, any defect.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

import structlog
from django.conf import settings
from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.moves import Why
from ledger.controls.moves_together import Step
from orders import trade_terms, transitions
from orders.models import Freeze, Order, Pool, Quote, Trade
from orders.sagas.wallet_legs import debit_leg
from orders.venue_adapters import venue_of
from wallets import first_asks, remote_operations
from wallets.claiming import Claimed
from wallets.first_asks import Answer, FirstAsk
from wallets.gateway_terms import GatewayTerms, gateway_terms

log = structlog.get_logger(__name__)

Given = TypeVar("Given")
Done = TypeVar("Done")

_State = Order.State
BEFORE_THE_DEBIT: Final = (_State.QUEUED, _State.PROCESSING, _State.OPERATOR_DEBIT_PENDING)

_DROP = """
DELETE FROM orders_sagarun AS s USING unnest(%(subjects)s::text[], %(heard)s::integer[]) AS d (subject, heard)
WHERE s.subject = d.subject AND s.lease_token = %(token)s AND s.news = d.heard
  AND EXISTS (SELECT FROM orders_order AS o WHERE o.reference = s.subject AND o.state = 'processed')
  AND NOT EXISTS (SELECT FROM wallets_remoteoperation AS r
                  WHERE r.owner = s.subject AND r.state IN ('asked', 'unknown', 'absent'))
RETURNING s.subject
"""


def plain(references: Sequence[str]) -> dict[str, list[str]]:
    """Return those that are buys before their debit, by environment: what `claim_debits` may be tried with."""
    found = Order.objects.filter(reference__in=references, side=Quote.Side.BUY, state__in=BEFORE_THE_DEBIT)
    by_environment: dict[str, list[str]] = {}
    for environment, reference in found.order_by("pk").values_list("environment", "reference"):
        by_environment.setdefault(environment, []).append(reference)
    return by_environment


def claim_debits(references: Sequence[str], *, most: int) -> tuple[list[tuple[Claimed, FirstAsk]], set[str]]:
    """Take orders of one environment as far as their debit, and claim what may be asked now (1 to 3).

    Returns the claimed, and the orders that wait for a turn at their gateway; the others go singly.
    """
    _tried(_start, references)
    _tried(_request_debits, references)
    asks = _tried(_asks, references) or []
    claimed = _tried(partial(_claim, most=most), asks) or []
    return claimed, {ask.leg.owner for ask in asks} - {ask.leg.owner for _, ask in claimed}


def settle(answers: Sequence[Answer]) -> list[str]:
    """Write answers of one environment down and take their orders to the end (5 to 7); return the orders that came so far."""
    written = _tried(first_asks.write_down, answers) or {}
    for answer in answers:
        if answer.claimed.operation.key not in written:
            _tried(_write_down_singly, [answer])
    remote_refs = {answer.claimed.operation.owner: written.get(answer.claimed.operation.key, "") for answer in answers}
    confirmed = {owner: remote_ref for owner, remote_ref in remote_refs.items() if remote_ref}
    _tried(lambda owners: _confirm_debits(owners, confirmed), list(confirmed))
    return _tried(_settle, list(confirmed)) or []


def drop(heard: Mapping[str, int], *, token: str) -> set[str]:
    """Drop the work rows of processed orders of which nobody has news and nothing is left to look up (8)."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP, {"subjects": list(heard), "heard": list(heard.values()), "token": token})
        return {row[0] for row in cursor.fetchall()}


def _tried(step: Callable[[Sequence[Given]], Done], given: Sequence[Given]) -> Done | None:
    """Take a step with all; None when one of them does not stand, and so nothing does: they are left to go singly."""
    if not given:
        return None
    try:
        return step(given)
    except Exception as error:  # noqa: BLE001  a task's edge: one's defect stops the others no longer than until they go singly
        _note_defect(getattr(step, "__name__", "step"), len(given), error)
        return None


def _note_defect(step: str, of: int, error: Exception) -> None:
    log.warning("together_failed", step=step, of=of, exc_info=error)
    connection.close_if_unusable_or_obsolete()


def _write_down_singly(answers: Sequence[Answer]) -> None:
    for answer in answers:
        first_asks.write_down_singly(answer)


def _start(references: Sequence[str]) -> None:
    with db_transaction.atomic():
        orders = _locked(references, _State.QUEUED)
        transitions.take_together([transitions.starting(order) for order in orders], now=clock.now())


def _request_debits(references: Sequence[str]) -> None:
    with db_transaction.atomic():
        orders = _locked(references, _State.PROCESSING)
        trades = _locked_trades(orders)
        terms = _terms_of(orders)
        now = clock.now()
        open_pools = _open_pools(trades.values())
        steps = [
            transitions.debit_requested(
                order, operation=remote_operations.birth(debit_leg(order, terms=terms[order.operator_id]))
            )
            for order in orders
            if order.reference in trades and trades[order.reference].pool_id in open_pools and now <= order.execute_by
        ]
        transitions.take_together(steps, now=now)


def _asks(references: Sequence[str]) -> list[FirstAsk]:
    orders = list(Order.objects.filter(reference__in=references, state=_State.OPERATOR_DEBIT_PENDING).order_by("pk"))
    terms = _terms_of(orders)
    return [
        FirstAsk(debit_leg(order, terms=terms[order.operator_id]), order.request_id, order.execute_by)
        for order in orders
    ]


def _claim(asks: Sequence[FirstAsk], *, most: int) -> list[tuple[Claimed, FirstAsk]]:
    owners = [ask.leg.owner for ask in asks]
    return first_asks.claim(
        asks, most=most, waits=lambda: {order.reference for order in _locked(owners, _State.OPERATOR_DEBIT_PENDING)}
    )


def _confirm_debits(references: Sequence[str], remote_refs: Mapping[str, str]) -> None:
    with db_transaction.atomic():
        orders = _locked(references, _State.OPERATOR_DEBIT_PENDING)
        trades = _locked_trades(orders)
        steps = [
            transitions.debit_confirmed(
                order,
                draft=trade_terms.debit_confirmed(order, trades[order.reference]),
                why=Why(transitions.SAGA, "debit confirmed", evidence={"remote_ref": remote_refs[order.reference]}),
            )
            for order in orders
            if order.reference in trades
        ]
        transitions.take_together(steps, now=clock.now())


def _settle(references: Sequence[str]) -> list[str]:
    with db_transaction.atomic():
        orders = [order for order in _locked(references, _State.OPERATOR_DEBITED) if not _is_magic(order)]
        trades = _locked_trades(orders)
        open_pools = _open_pools(trades.values())
        now = clock.now()
        steps = [
            _settlement(order, trades[order.reference], now=now)
            for order in orders
            if order.reference in trades and trades[order.reference].pool_id in open_pools
        ]
        transitions.take_together(steps, now=now)
    return [step.changes[0].subject.reference for step in steps]


def _settlement(order: Order, trade: Trade, *, now: datetime) -> Step:
    why = Why(transitions.SAGA, "trade settled")
    return transitions.completed(order, trade=trade, drafts=[trade_terms.settlement(trade)], why=why, now=now)


def _is_magic(order: Order) -> bool:
    """Leave to `buy` what makes a sandbox pool halt itself: it concerns the orders behind it."""
    return bool(order.user_reference.startswith(settings.SANDBOX_HALT_WORDS))


def _locked(references: Sequence[str], state: Order.State) -> list[Order]:
    """Lock the orders that are in this state, free and not frozen."""
    rows = Order.objects.select_for_update(skip_locked=True).filter(reference__in=references, state=state)
    found = list(rows.order_by("pk"))
    names = [order.reference for order in found]
    frozen = set(
        Freeze.objects.filter(subject__in=names, lifted_at__isnull=True).values_list("subject", flat=True)
        if names
        else []
    )
    return [order for order in found if order.reference not in frozen]


def _locked_trades(orders: Sequence[Order]) -> dict[str, Trade]:
    """Lock the trade of each order that has but one, reserved; the others fall out."""
    if not orders:
        return {}
    rows = Trade.objects.select_for_update(skip_locked=True).filter(
        order_reference__in=[order.reference for order in orders]
    )
    by_order: dict[str, list[Trade]] = {}
    for trade in rows.order_by("order_reference", "pk"):
        by_order.setdefault(trade.order_reference, []).append(trade)
    return {
        name: found[0]
        for name, found in by_order.items()
        if len(found) == 1 and not found[0].retry_of and found[0].state == Trade.State.RESERVED
    }


def _open_pools(trades: Iterable[Trade]) -> dict[int, Pool]:
    """Lock the trades' pools, by id, and return those in which a buy would be executed now.

    Outcomes are left out: their pools share a market, whose lock comes after one pool's.
    """
    rows = Pool.objects.select_for_update().filter(
        pk__in={trade.pool_id for trade in trades}, kind=Pool.Kind.CONSTANT_PRODUCT
    )
    return {pool.pk: pool for pool in rows.order_by("pk") if not venue_of(pool).failure(pool=pool, side=Quote.Side.BUY)}


def _terms_of(orders: Sequence[Order]) -> dict[int | None, GatewayTerms]:
    """Return the wallet terms of each order's operator; the orders are of one environment."""
    return {
        operator_id: gateway_terms(operator_id=operator_id, environment=orders[0].environment)
        for operator_id in {order.operator_id for order in orders}
        if operator_id is not None
    }
