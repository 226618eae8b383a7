"""The built-in maker of outcome markets. Its cash and its unsold shares are the ledger balances of `pools:{market}`.

Every share was made at opening; what the maker does not hold, somebody else does. So its reserve of an outcome is its cash
less the shares of that outcome in others' hands, and cash always covers whatever comes true.
"""

from fractions import Fraction

from ledger import accounts, balances
from ledger.controls.refusals import Refusal
from orders.models import Market, Order, Pool, Quote
from orders.outcome_shares import ISSUED, other
from orders.positions_paid import paid_for
from orders.venue_port import Executed, MarketNotOpen, MarketNotResolved, PoolHalted, Refused
from orders.venues import outcome_curve
from orders.venues.halts import is_halted


class OutcomeVenue:
    def price(self, *, pool: Pool, side: str, taken_in: int, position: str) -> int:
        if side == Quote.Side.REDEMPTION:
            return _worth(pool, shares=taken_in, position=position)
        reserves = _reserves(pool, side)
        if side == Quote.Side.BUY:
            return outcome_curve.bought(cash=taken_in, reserves=reserves)
        return outcome_curve.sold(shares=taken_in, reserves=reserves)

    def covers(self, *, pool: Pool, side: str, taken_in: int, given_out: int, position: str) -> bool:
        return self.price(pool=pool, side=side, taken_in=taken_in, position=position) >= given_out

    def refusal(self, *, pool: Pool, side: str) -> Refusal | None:
        if is_halted(pool):
            return PoolHalted()
        state = market_of(pool).state
        if side == Quote.Side.REDEMPTION:
            return None if state in (Market.State.RESOLVED, Market.State.VOIDED) else MarketNotResolved()
        return None if state == Market.State.OPEN else MarketNotOpen()

    def failure(self, *, pool: Pool, side: str) -> str:
        if is_halted(pool):
            return "pool_halted"
        if side == Quote.Side.REDEMPTION:
            return ""
        match market_of(pool).state:
            case Market.State.VOIDED:
                return "market_voided"
            case Market.State.RESOLVED:
                return "market_resolved"  # what its shares are worth is known: nobody gets them at yesterday's price
        return ""

    def execute(self, *, pool: Pool, order: Order) -> Executed | Refused:
        failure = self.failure(pool=pool, side=order.side)
        return Refused(failure) if failure else Executed()


def market_of(pool: Pool) -> Market:
    return Market.objects.get(environment=pool.environment, code=pool.market_code)


def _worth(pool: Pool, *, shares: int, position: str) -> int:
    """Return what shares are worth at the resolved price, or, in a voided market, of what was paid for the position."""
    market = market_of(pool)
    if market.state == Market.State.VOIDED:
        paid = paid_for(pool=pool, position=position)
        return paid.cash_minor * shares // paid.held_minor if 0 < shares <= paid.held_minor else 0
    if market.price_yes is None:
        return 0
    price = Fraction(market.price_yes)
    if pool.position_asset == "NO":
        price = 1 - price
    return shares * price.numerator // price.denominator


def _reserves(pool: Pool, side: str) -> outcome_curve.Reserves:
    """Return the reserves at their worst case: the given one posted less pending debits, the taken one plus credits."""
    address = accounts.pool(pool.ledger_name)
    mine, opposite = pool.position_asset, other(pool.position_asset)
    given, taken = (mine, opposite) if side == Quote.Side.BUY else (opposite, mine)
    wanted = [(address, asset) for asset in (pool.cash_asset, given, taken)]
    found = balances.read(environment=pool.environment, accounts=wanted)
    cash, given_shares, taken_shares = (found[place] for place in wanted)
    return outcome_curve.Reserves(
        given=cash.available + given_shares.available - ISSUED,
        taken=_coming(cash) + _coming(taken_shares) - ISSUED,
    )


def _coming(balance: balances.Balance) -> int:
    return balance.posted + balance.credits_pending
