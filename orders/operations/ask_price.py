"""Ask an outside venue what it would give: with no transaction open, before the quote's (OpenPoly, buy-side flow 2).

1 the quote is computed as far as the price (fees, rate: what the venue takes)
2 that transaction is rolled back; nothing is claimed, nothing stored
3 the venue is asked, through the remote door
4 the quote is computed again with the offer; should what the venue takes have changed meanwhile, once more from 2
"""

from collections.abc import Callable
from typing import Final, TypeVar, assert_never

from ledger import assets
from ledger.money import Money
from orders.venue_port import Offer, PoolUnavailable, PriceNeeded, PriceNotOffered
from wallets import remote_prices
from wallets.price_port import Price, PriceQuestion, PriceRefused, PriceUnknown

_TRIES: Final = 3

T = TypeVar("T")


def with_price(compute: Callable[[Offer | None], T]) -> T:
    """Return what `compute` comes to, with the offer that it needs, if any. Raises PoolUnavailable or PriceNotOffered."""
    offer: Offer | None = None
    for _ in range(_TRIES):
        try:
            return compute(offer)
        except PriceNeeded as needed:
            offer = _asked(needed)
    raise PoolUnavailable()


def _asked(needed: PriceNeeded) -> Offer:
    assert needed.pool.venue is not None
    reply = remote_prices.ask(
        gateway_id=needed.pool.venue.gateway_id,
        question=PriceQuestion(
            pool=needed.pool.code,
            side=needed.side,
            taken_asset=needed.taken_in.asset,
            taken_text=assets.text(needed.taken_in.minor, needed.taken_in.asset),
            given_asset=needed.given_asset,
            given_scale=assets.named(needed.given_asset).scale,
        ),
    )
    match reply:
        case Price(given_minor, quote_id):
            given = Money(given_minor, needed.given_asset)
            return Offer(needed.pool.pk, needed.side, needed.taken_in, given, quote_id)
        case PriceRefused():
            raise PriceNotOffered
        case PriceUnknown(wait=wait):
            raise PoolUnavailable(wait=wait)
        case _:
            assert_never(reply)
