"""What an operator's wallet is asked for an order: its legs debit, reverse and credit, each of the order's wallet amount."""

from orders.models import Order
from wallets.gateway_terms import GatewayTerms, gateway_terms
from wallets.remote_operations import Leg


def debit_leg(order: Order, *, terms: GatewayTerms | None = None) -> Leg:
    return leg(order, "debit", version=1, terms=terms)


def reverse_leg(order: Order, *, version: int) -> Leg:
    return leg(order, "reverse", version=version)


def credit_leg(order: Order, *, version: int) -> Leg:
    return leg(order, "credit", version=version)


def leg(order: Order, name: str, *, version: int, terms: GatewayTerms | None = None) -> Leg:
    """Return one movement of the order's wallet amount. `terms` are its operator's, where the caller has read them."""
    assert order.operator_id is not None
    terms = terms or gateway_terms(operator_id=order.operator_id, environment=order.environment)
    return Leg(
        owner=order.reference,
        name=name,
        version=version,
        gateway_id=terms.gateway_id,
        environment=order.environment,
        operator_id=order.operator_id,
        amount=order.wallet_amount,
        user_reference=order.user_reference,
        partner_order_id=order.partner_order_id,
    )
