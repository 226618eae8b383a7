"""What stands in a world with outside venues before anybody acts: accepted orders.

So the venues are asked from the first turn on.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.db import transaction as db_transaction

from orders.models import Quote
from orders.operations import ask_price
from orders.operations.create_quote import create_quote
from orders.operations.submit_order import submit_order
from orders.venue_port import Offer
from tests.simulation.venues import LANES

if TYPE_CHECKING:
    from tests.simulation.scene import Scene


def set_up(scene: "Scene", *, users: Sequence[str], sells: bool) -> None:
    for lane in LANES:
        _accept(scene, lane.pool, "buy", "40.00", "EUR", users[-1])
        if sells:
            _accept(scene, lane.pool, "sell", "30.00", "USDT", users[0])


def _accept(scene: "Scene", pool: str, side: str, amount: str, asset: str, user: str) -> None:
    now = scene.world.clock.now

    def quoted(offer: Offer | None) -> Quote:
        with db_transaction.atomic():
            return create_quote(
                caller=scene.caller,
                pool_code=pool,
                side=side,
                source_asset=asset,
                source_amount=amount,
                user_reference=user,
                firm=True,
                now=now(),
                offer=offer,
            )

    quote = ask_price.with_price(quoted)
    with db_transaction.atomic():
        submit_order(
            caller=scene.caller,
            quote_reference=quote.reference,
            partner_order_id=f"under-way-{quote.reference}",
            user_reference=user,
            idempotency_key=f"under-way:{quote.reference}",
            now=now(),
        )
