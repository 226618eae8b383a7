"""Pools, quotes, orders, trades, intents, payouts, returns, their sagas and reviews. States and edges: DESIGN.md section 6."""

from orders.models.intents import Intent, WalletEntry
from orders.models.markets import Market
from orders.models.orders import Order
from orders.models.pay_ins import PayIn
from orders.models.payouts import Payout
from orders.models.pools import Pool, PoolHalt, Venue
from orders.models.quotes import Quote
from orders.models.returns import Return
from orders.models.reviews import ApprovalThreshold, ReviewCase, ReviewNote
from orders.models.sagas import Freeze, SagaRun
from orders.models.stale import StaleFinding
from orders.models.trades import Trade

__all__ = [
    "ApprovalThreshold",
    "Freeze",
    "Intent",
    "Market",
    "Order",
    "PayIn",
    "Payout",
    "Pool",
    "PoolHalt",
    "Quote",
    "Return",
    "ReviewCase",
    "ReviewNote",
    "SagaRun",
    "StaleFinding",
    "Trade",
    "Venue",
    "WalletEntry",
]
