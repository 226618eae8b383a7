"""A late effect: a confirmation that arrives when its order has ended otherwise (DESIGN.md section 5, step 6).

The remote door writes the confirmation down and records an internal event with it; this listens. The order stays as it
is: a return of its own is opened, with the case in which people decide.
"""

from datetime import datetime
from typing import Final

from django.db import transaction as db_transaction

from ledger import accounts
from ledger.controls import clock, references
from ledger.controls.moves import Why
from ledger.money import Money
from orders import return_terms, transitions
from orders.locks import lock_order, lock_trade_of
from orders.models import Order, Return, Trade
from orders.operations.return_payout import hear_late_payout
from webhooks import routing

TOPIC: Final = "remote_operation.late"

LEGS: Final = frozenset({"debit", "reverse", "credit"})


def hear_late_confirmation(event: routing.RelayedEvent) -> None:
    """Open a return when the confirmed movement contradicts the end of its order. Safe twice."""
    payload = event.payload
    leg = str(payload["leg"])
    owner = str(payload["owner"])
    if leg == "submit":
        hear_late_payout(
            payout_reference=owner, operation_key=str(payload["key"]), event=event.reference, now=clock.now()
        )
        return
    if leg not in LEGS or not Order.objects.filter(reference=owner).exists():
        return
    with db_transaction.atomic():
        order = lock_order(owner, even_frozen=True)
        if order.terminal and ended_otherwise(order, leg):
            open_late_effect(
                order,
                leg=leg,
                amount=Money(int(str(payload["amount_minor"])), str(payload["asset"])),
                operation_key=str(payload["key"]),
                event=event.reference,
                now=clock.now(),
            )


def ended_otherwise(order: Order, leg: str) -> bool:
    """Tell whether a confirmed leg does not belong to the end that its order came to."""
    match leg:
        case "debit":
            return bool(order.state == Order.State.FAILED)
        case "reverse":
            return order.state != Order.State.COMPENSATED or order.status_reason == transitions.SETTLED_OUTSIDE
        case _:
            return order.state != Order.State.PROCESSED or order.status_reason == transitions.SETTLED_OUTSIDE


def open_late_effect(
    order: Order, *, leg: str, amount: Money, operation_key: str, event: str, now: datetime
) -> Return | None:
    """Open a return for a movement that came late, once per key. The caller holds the order locked."""
    if Return.objects.filter(operation_key=operation_key).exists():
        return None
    trade = lock_trade_of(order)
    named = trade.terms["accounts"]
    found = Return(
        reference=references.new(references.Prefix.RETURN),
        environment=order.environment,
        operator_id=order.operator_id,
        kind=Return.Kind.LATE_EFFECT,
        order_reference=order.reference,
        operation_key=operation_key,
        leg=leg,
        user_reference=order.user_reference,
        partner_order_id=order.partner_order_id,
        asset=amount.asset,
        amount_minor=amount.minor,
        terms={
            "accounts": {"due": named["due"], "transit": named["transit"]},
            "trade": trade.reference,
            "quote": order.quote_reference,
        },
    )
    transitions.open_return(
        found,
        reason=f"late_{leg}",
        next_action="Adjust the books to what happened, or dismiss it as a mistake.",
        why=Why("remote door", f"{leg} confirmed after the order {order.state}", event=event),
        now=now,
    )
    return found


def open_late_execution(order: Order, trade: Trade, *, operation_key: str, event: str, now: datetime) -> Return | None:
    """Open a return for a trade that was given up and executed after all, once per key.

    The caller holds order and trade locked. Nothing of the operator's moved: it is between the house and the venue.
    """
    if Return.objects.filter(operation_key=operation_key).exists():
        return None
    terms = return_terms.executed(order, trade)
    wallet = order.wallet_amount
    accounts.open_accounts(
        environment=order.environment,
        openings=[
            accounts.Opening(terms["accounts"]["transit"], one["asset"], accounts.TRANSIT)
            for one in terms["amounts"].values()
        ],
    )
    found = Return(
        reference=references.new(references.Prefix.RETURN),
        environment=order.environment,
        operator_id=order.operator_id,
        kind=Return.Kind.LATE_EFFECT,
        order_reference=order.reference,
        operation_key=operation_key,
        leg=Return.EXECUTE,
        user_reference=order.user_reference,
        partner_order_id=order.partner_order_id,
        asset=wallet.asset,
        amount_minor=wallet.minor,
        terms={**terms, "trade": trade.reference, "quote": order.quote_reference},
    )
    transitions.open_return(
        found,
        reason="late_execute",
        next_action="Adjust the books to what the venue did, or dismiss it as a mistake.",
        why=Why("remote door", f"executed after the trade was {trade.state}", event=event),
        now=now,
    )
    return found


def register() -> None:
    routing.listen(TOPIC, hear_late_confirmation)
