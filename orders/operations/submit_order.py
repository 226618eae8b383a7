"""Submit an order on a quote's terms (OpenPoly, buy-side flow 3 and 4; a sell holds its position here).

1 the partner's order id is new
2 the quote is active by this transaction's clock
3 the pool is open, has room for one more reservation of this operator, and its curve still covers the terms
4 order recorded, quote accepted, trade reserved, its lines held: one transaction (a sell's hold takes the position, so
  that two sells of one position cannot both pass)
"""

import re
from datetime import datetime
from typing import Final

from django.db import connection

from ledger import accounts, assets, balances, journal
from ledger.controls import bell, planned_rows, prepared, references, request_context
from ledger.controls.refusals import Malformed, NotFound, Refusal
from ledger.controls.rest.caller import Caller
from orders import trade_terms, transitions
from orders.locks import lock_pool, lock_quote
from orders.models import Order, Pool, Quote, SagaRun, Trade
from orders.venue_adapters import venue_of
from wallets.gateway_terms import gateway_terms

_FIRST: Final = (
    "SELECT reference FROM orders_order WHERE operator_id = %s AND environment = %s AND partner_order_id = %s"
)
_RESERVED: Final = "SELECT count(*) FROM orders_trade WHERE pool_id = %s AND operator_id = %s AND state = 'reserved'"
_PARTNER_ORDER_ID = re.compile(r"[A-Za-z0-9._:@/#-]{1,80}", re.ASCII)


class DuplicatePartnerOrder(Refusal):
    """There is an order with this partner order id already."""

    code = "duplicate_partner_order"
    status = 409


class QuoteUsed(Refusal):
    """An order was submitted on this quote before."""

    code = "quote_used"
    status = 409


class QuoteExpired(Refusal):
    """This quote has expired; ask for a new one."""

    code = "quote_expired"
    status = 409


class QuoteCancelled(Refusal):
    """This quote was cancelled."""

    code = "quote_cancelled"
    status = 409


class PriceMoved(Refusal):
    """The pool no longer covers this quote's terms; ask for a new one."""

    code = "price_moved"
    status = 409


class TooManyReservations(Refusal):
    """Too many orders of yours are open in this pool; wait for some to end."""

    code = "too_many_reservations"
    status = 422


class PoolLacksFunds(Refusal):
    """The pool cannot pay this now; try again later."""

    code = "pool_lacks_funds"
    status = 409


class PositionTooSmall(Refusal):
    """The position holds less than this sell gives; what other orders hold does not count."""

    code = "position_too_small"
    status = 422


def submit_order(
    *,
    caller: Caller,
    quote_reference: str,
    partner_order_id: str,
    user_reference: str,
    idempotency_key: str,
    now: datetime,
) -> Order:
    """Record an order in the caller's transaction and return it, queued. See the module for steps and refusals."""
    if not _PARTNER_ORDER_ID.fullmatch(partner_order_id):
        message = "1 to 80 of the characters A-Z a-z 0-9 . _ : @ / # -"
        raise Malformed("The partner order id is malformed.", errors={"partner_order_id": [message]})
    _refuse_second_order(caller, partner_order_id)
    quote = _active_quote(caller, quote_reference, user_reference, now)
    pool = _pool_with_room(caller, quote)

    wallet = gateway_terms(operator_id=caller.operator_id, environment=caller.environment)
    order = Order(
        reference=references.new(references.Prefix.ORDER),
        environment=caller.environment,
        operator_id=caller.operator_id,
        side=quote.side,
        partner_order_id=partner_order_id,
        user_reference=quote.user_reference,
        quote_reference=quote.reference,
        pool_code=pool.code,
        idempotency_key=idempotency_key,
        request_id=request_context.request_id(),
        source_asset=quote.source_asset,
        source_minor=quote.source_minor,
        target_asset=quote.target_asset,
        target_minor=quote.target_minor,
        execute_by=now + wallet.execute_within,
    )
    reference = references.new(references.Prefix.TRADE)
    trade = Trade(
        reference=reference,
        environment=caller.environment,
        operator_id=caller.operator_id,
        order_reference=order.reference,
        quote_reference=quote.reference,
        pool_id=pool.pk,
        pool_code=pool.code,
        idempotency_key=idempotency_key,
        hold_key=f"{reference}:reserve",
        terms=trade_terms.of_quote(quote, pool=pool, operator_slug=caller.operator_slug),
    )
    accounts.open_accounts(
        environment=caller.environment,
        openings=[
            accounts.Opening(trade.terms["accounts"]["position"], pool.position_asset, accounts.POSITION),
        ],
    )
    planned_rows.insert(SagaRun(subject=order.reference, environment=order.environment, available_at=now))
    try:
        transitions.accept(
            order=order,
            quote=quote,
            trade=trade,
            reservation=trade_terms.reservation(trade),
            actor=caller.actor,
            now=now,
        )
    except journal.PostingRefused as refused:
        if quote.side != Quote.Side.BUY and refused.fields.get("ledger_code") == "exceeds_credits":
            raise _lacking(trade, quote) from refused
        raise
    bell.ring_after_commit("sagas")
    return order


def _refuse_second_order(caller: Caller, partner_order_id: str) -> None:
    """Serialise on the partner's order id, then look (in a second statement)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 742000))",
            [f"{caller.environment}:{caller.operator_id}:{partner_order_id}"],
        )
    first = prepared.rows(_FIRST, [caller.operator_id, caller.environment, partner_order_id])
    if first:
        raise DuplicatePartnerOrder(order_id=first[0][0])


def _active_quote(caller: Caller, reference: str, user_reference: str, now: datetime) -> Quote:
    quote = lock_quote(reference, operator_id=caller.operator_id, environment=caller.environment)
    if quote is None:
        raise NotFound("There is no such quote.", errors={"quote_id": ["There is no such quote."]})
    if user_reference and user_reference != quote.user_reference:
        message = "The quote was made for another user reference."
        raise Malformed(message, errors={"user_reference": [message]})
    match quote.state:
        case Quote.State.ACCEPTED:
            raise QuoteUsed(order_id=quote.order_reference)
        case Quote.State.CANCELLED:
            raise QuoteCancelled
        case Quote.State.EXPIRED:
            raise QuoteExpired
    if now >= quote.expires_at:
        raise QuoteExpired
    return quote


def _pool_with_room(caller: Caller, quote: Quote) -> Pool:
    pool = lock_pool(quote.pool_id)
    venue = venue_of(pool)
    if refusal := venue.refusal(pool=pool, side=quote.side):
        raise refusal
    ((open_reservations,),) = prepared.rows(_RESERVED, [pool.pk, caller.operator_id])
    if open_reservations >= pool.open_reservations_cap:
        raise TooManyReservations
    cash, source, target = int(quote.cash_minor), int(quote.source_minor), int(quote.target_minor)
    taken_in, given_out = (cash, target) if quote.side == Quote.Side.BUY else (source, cash)
    position = trade_terms.position_account(
        pool, operator_slug=caller.operator_slug, user_reference=quote.user_reference
    )
    if not venue.covers(pool=pool, side=quote.side, taken_in=taken_in, given_out=given_out, position=position):
        raise PriceMoved
    return pool


def _lacking(trade: Trade, quote: Quote) -> PositionTooSmall | PoolLacksFunds:
    """Say which side the ledger would have overdrawn: the user's position, or what the pool pays with."""
    place = (trade.terms["accounts"]["position"], quote.source_asset)
    found = balances.read(environment=trade.environment, accounts=[place])
    available = found[place].available if place in found else 0
    if available >= int(quote.source_minor):
        return PoolLacksFunds()
    return PositionTooSmall(available=assets.text(available, quote.source_asset), asset=quote.source_asset)
