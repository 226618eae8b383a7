"""An outside venue says what became of a trade: 0Pools' seven steps, from the third (the inbox has done the first two).

3 load the trade by transact id or by quote id · 4 compare with our state · 5 apply only legal forward moves

What a venue says moves no money. Of a trade that is reserved here it makes the saga look, and our own signed lookup decides.
A settled trade that is *returned* opens the return in which people decide, once its order has ended: until then the order is
frozen, once, so that nobody is paid for it unseen, and the event waits as long as it takes. What is stale or repeated is
ignored with a reason; what is early is parked. What contradicts a terminal state of ours is a terminal state conflict: the
order is frozen, and what the venue had declined and now calls settled is looked up again.
"""

from functools import partial
from typing import Final

from ledger.controls import clock
from orders.locks import lock_order
from orders.models import Freeze, Order, Pool, Trade
from orders.operations.return_trade import NotReturnable, ReturnedAlready, return_trade
from orders.sagas import news
from orders.venue_provider import code_of
from webhooks import routing
from webhooks.routing import Applied, Ignored, InboundMessage, Judgement, Parked

_STATUSES: Final = ("reserved", "settled", "failed", "released", "returned")
_State = Trade.State
_TAKEN_BACK: Final = "its venue took {trade} back before the order ended"
_PATH: Final = {
    _State.RESERVED: ("reserved",),
    _State.SETTLED: ("reserved", "settled"),
    _State.FAILED: ("reserved", "failed", "released"),
    _State.RELEASED: ("reserved", "failed", "released"),
    _State.RETURNED: ("reserved", "settled", "returned"),
}
"""What a trade in one of our states has gone through: news of that is stale or repeated."""


def register() -> None:
    for status in _STATUSES:
        routing.handle(f"trade.{status}", hear)


def hear(message: InboundMessage) -> Judgement:
    """Judge one event of a venue, in the inbox worker's transaction."""
    status = message.kind.removeprefix("trade.")
    if not message.subjects:
        return Ignored("it names no trade and no quote")
    found = _trade(message)
    if found is None:
        return Parked(f"{message.subjects[0]} is not here (yet)")
    order = lock_order(found.order_reference, even_frozen=True)
    trade = Trade.objects.select_for_update().get(pk=found.pk)
    if Freeze.objects.filter(subject=order.reference, lifted_at__isnull=True).exists():
        return Parked(f"{order.reference} is frozen", counts=False)
    if status in _PATH[_State(trade.state)]:
        return Ignored(f"{trade.reference} is {trade.state}; {status} says nothing new")
    match trade.state, status:
        case _State.RESERVED, "returned":
            return Parked(f"{trade.reference} is not settled here yet", counts=False)
        case _State.RESERVED, _:
            news.tell(order.reference, environment=order.environment, now=clock.now())
            return Applied(f"{order.reference} is due: {trade.reference} is looked up; its venue says {status}")
        case _State.SETTLED, "returned":
            return _returned(order, trade, message)
        case _:
            return _conflict(order, trade, status)


def _trade(message: InboundMessage) -> Trade | None:
    """Return the trade that the event names by our transact id or quote id, if it is one of this venue's."""
    trades = Trade.objects.filter(environment=message.environment, terms__has_key="venue_quote").order_by("-pk")
    for subject in message.subjects:
        trade = trades.filter(reference=subject).first() or trades.filter(quote_reference=subject).first()
        if trade is not None:
            pool = Pool.objects.select_related("venue").get(pk=trade.pool_id)
            return trade if pool.venue is not None and code_of(pool.venue) == message.provider else None
    return None


def _returned(order: Order, trade: Trade, message: InboundMessage) -> Judgement:
    if not order.terminal:
        return Parked(
            f"{order.reference} has not ended: its return is opened then",
            counts=False,
            meanwhile=partial(_hold_back, order.reference, trade.reference),
        )
    try:
        found = return_trade(
            trade_reference=trade.reference,
            reason=f"its venue says so ({message.reference})",
            actor=f"provider:{message.provider}",
            now=clock.now(),
        )
    except NotReturnable as refusal:
        return Parked(refusal.message)
    except ReturnedAlready:
        return Ignored(f"{trade.reference} has a return already")
    return Applied(f"{found.reference} is opened: people decide")


def _hold_back(order_reference: str, trade_reference: str) -> None:
    """Freeze the order once: people who lift that freeze have seen it, and may let the order end."""
    order = lock_order(order_reference, even_frozen=True)
    reason = _TAKEN_BACK.format(trade=trade_reference)
    if not order.terminal and not Freeze.objects.filter(subject=order.reference, reason=reason).exists():
        freeze_for_conflict(order, reason)


def _conflict(order: Order, trade: Trade, status: str) -> Judgement:
    if status == "settled":
        news.tell(order.reference, environment=order.environment, now=clock.now())
    freeze_for_conflict(order, f"terminal state conflict: {trade.reference} is {trade.state}, its venue says {status}")
    return Applied(f"terminal state conflict: {order.reference} is frozen; {trade.reference} stays {trade.state}")


def freeze_for_conflict(order: Order, reason: str) -> None:
    """Freeze an order that is locked, unless it is frozen already."""
    if not Freeze.objects.filter(subject=order.reference, lifted_at__isnull=True).exists():
        Freeze.objects.create(
            subject=order.reference, reason=reason[:200], frozen_by="remote door", frozen_at=clock.now()
        )
