"""A settled trade is taken back by its venue (0Pools, Returned: reverse/review completed entry).

A return is opened with the case in which people decide. When they say that it is so the trade becomes *returned* and
TRADE_RETURN is posted, in one transaction: never an edit. Then the operator's money is given back, or kept.
"""

from datetime import datetime

from django.db import transaction as db_transaction

from ledger import accounts
from ledger.controls import references
from ledger.controls.moves import Why
from ledger.controls.refusals import NotFound, Refusal
from orders import return_terms, transitions
from orders.locks import lock_order
from orders.models import Order, Pool, Quote, Return, Trade


class NotReturnable(Refusal):
    """Only a settled trade of an order that has ended can be taken back."""

    code = "trade_not_returnable"
    status = 409


class ReturnedAlready(Refusal):
    """This trade has a return already."""

    code = "trade_returned_already"
    status = 409


def return_trade(*, trade_reference: str, reason: str, actor: str, now: datetime) -> Return:
    """Open the return of a settled trade. Raises NotFound, OrderFrozen, NotReturnable or ReturnedAlready."""
    order_reference = Trade.objects.filter(reference=trade_reference).values_list("order_reference", flat=True).first()
    if order_reference is None:
        raise NotFound(f"There is no trade {trade_reference}.")
    with db_transaction.atomic():
        order = lock_order(order_reference)
        trade = Trade.objects.select_for_update().get(reference=trade_reference)
        if trade.state != Trade.State.SETTLED or order.state != Order.State.PROCESSED:
            raise NotReturnable(f"The trade is {trade.state}, its order {order.state}.")
        if Pool.objects.filter(pk=trade.pool_id, kind=Pool.Kind.OUTCOME).exists():
            raise NotReturnable("An outcome market is ours: no venue takes its trades back.")
        if Return.objects.filter(trade_reference=trade_reference).exists():
            raise ReturnedAlready
        return _open(order, trade, reason=reason, actor=actor, now=now)


def _open(order: Order, trade: Trade, *, reason: str, actor: str, now: datetime) -> Return:
    wallet = order.wallet_amount
    receivables = return_terms.receivables(trade)
    _open_receivables(trade, receivables)
    found = Return(
        reference=references.new(references.Prefix.RETURN),
        environment=order.environment,
        operator_id=order.operator_id,
        kind=Return.Kind.TRADE_RETURNED,
        order_reference=order.reference,
        trade_reference=trade.reference,
        leg="debit" if order.side == Quote.Side.BUY else "credit",
        user_reference=order.user_reference,
        partner_order_id=order.partner_order_id,
        asset=wallet.asset,
        amount_minor=wallet.minor,
        terms={
            "accounts": {name: trade.terms["accounts"][name] for name in ("due", "transit")},
            "receivables": receivables,
            "trade": trade.reference,
            "quote": order.quote_reference,
        },
    )
    transitions.open_return(
        found,
        reason="trade_returned",
        next_action="Adjust the books to the return, or dismiss it as a mistake.",
        why=Why(actor, "the venue took the trade back", evidence={"reason": reason}),
        now=now,
    )
    return found


def _open_receivables(trade: Trade, receivables: dict[str, str]) -> None:
    """Open the receivables in every asset that position or pool may lack."""
    assets = sorted({str(value["asset"]) for value in trade.terms["amounts"].values()})
    accounts.open_accounts(
        environment=trade.environment,
        openings=[
            opening
            for asset in assets
            for opening in (
                accounts.Opening(receivables["receivable"], asset, accounts.POSITION_RECEIVABLE),
                accounts.Opening(receivables["pool_receivable"], asset, accounts.POOL_RECEIVABLE),
            )
        ],
    )
