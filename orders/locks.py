"""Row locks of this floor, in the one order of DESIGN.md section 3: order or intent, quote, trade, return, case, pool."""

from ledger.controls import planned_rows
from ledger.controls.refusals import NotFound, Refusal
from orders.models import Freeze, Intent, Market, Order, Payout, Pool, Quote, Return, ReviewCase, Trade


class OrderFrozen(Refusal):
    """This order is frozen: no step is taken until the freeze is lifted."""

    code = "order_frozen"
    status = 409


class IntentFrozen(Refusal):
    """This intent is frozen: no step is taken until the freeze is lifted."""

    code = "intent_frozen"
    status = 409
    kept = False  # it passes: the same request goes on then


def lock_order(reference: str, *, even_frozen: bool = False) -> Order:
    """Lock an order. Raises OrderFrozen unless told that the caller takes no step of the saga."""
    order = Order.objects.select_for_update().filter(reference=reference).first()
    if order is None:
        raise NotFound(f"There is no order {reference}.")
    if not even_frozen and Freeze.objects.filter(subject=reference, lifted_at__isnull=True).exists():
        raise OrderFrozen
    return order


def lock_intent(reference: str, *, even_frozen: bool = False) -> Intent:
    """Lock an intent. Raises IntentFrozen unless told that the caller takes no step of it."""
    intent = Intent.objects.select_for_update().filter(reference=reference).first()
    if intent is None:
        raise NotFound(f"There is no intent {reference}.")
    if not even_frozen and Freeze.objects.filter(subject=reference, lifted_at__isnull=True).exists():
        raise IntentFrozen
    return intent


def lock_payout(reference: str, *, even_frozen: bool = False) -> tuple[Intent, Payout]:
    """Lock a payout behind its intent. Raises IntentFrozen unless told that the caller takes no step of it."""
    named = Payout.objects.filter(reference=reference).values_list("intent_reference", flat=True).first()
    if named is None:
        raise NotFound(f"There is no payout {reference}.")
    intent = lock_intent(named, even_frozen=even_frozen)
    return intent, Payout.objects.select_for_update().get(reference=reference)


def lock_quote(reference: str, *, operator_id: int, environment: str) -> Quote | None:
    return planned_rows.lock(Quote, reference=reference, operator_id=operator_id, environment=environment)


def lock_trade_of(order: Order) -> Trade:
    """Lock the order's newest trade."""
    trade = Trade.objects.select_for_update().filter(order_reference=order.reference).order_by("-id").first()
    assert trade is not None, f"{order.reference} has no trade"
    return trade


def lock_return(reference: str) -> Return:
    """Lock a return behind its order and the trade that it takes back, or behind its intent.

    Raises OrderFrozen or IntentFrozen while that is frozen.
    """
    owners = ("order_reference", "trade_reference", "intent_reference")
    named = Return.objects.filter(reference=reference).values_list(*owners).first()
    if named is None:
        raise NotFound(f"There is no return {reference}.")
    order_reference, trade_reference, intent_reference = named
    if intent_reference:
        lock_intent(intent_reference)
        return Return.objects.select_for_update().get(reference=reference)
    lock_order(order_reference)
    if trade_reference:
        Trade.objects.select_for_update().get(reference=trade_reference)
    return Return.objects.select_for_update().get(reference=reference)


def lock_case(reference: str) -> ReviewCase:
    case = ReviewCase.objects.select_for_update().filter(reference=reference).first()
    if case is None:
        raise NotFound(f"There is no review case {reference}.")
    return case


def lock_pool(pool_id: int) -> Pool:
    """Lock a pool, and the market of an outcome's: its other pool has the same account."""
    pool = planned_rows.lock(Pool, id=pool_id)
    assert pool is not None, f"there is no pool {pool_id}"
    if pool.market_code:
        lock_market(environment=pool.environment, code=pool.market_code)
    return pool


def lock_market(*, environment: str, code: str) -> Market:
    market = Market.objects.select_for_update().filter(environment=environment, code=code).first()
    if market is None:
        raise NotFound(f"There is no market {code}.")
    return market
