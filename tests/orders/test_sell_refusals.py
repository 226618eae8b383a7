"""A refused sell leaves nothing behind; two sells of one position cannot both pass."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.refusals import Malformed, Refusal
from orders.models import Order, Pool, Trade
from orders.operations import create_quote, submit_order
from orders.operations.halt_pool import halt_pool
from orders.venue_port import PoolHalted
from tests.orders import books
from tests.orders.desk import Desk, reloaded
from tests.threads import run_threads
from tests.wallets.rules import fee, in_force
from wallets import remote_operations
from wallets.models import Gateway
from wallets.rates import StaleRate
from wallets.remote_operations import Unfounded

pytestmark = pytest.mark.usefixtures("database")

Act = Callable[[Desk], object]


def _refused(desk: Desk, act: Act, refusal: type[Refusal]) -> Refusal:
    """Have the act refused, and see that the world is as it was."""
    before = books.world()
    calls = list(desk.wallet.calls)
    with pytest.raises(refusal) as raised:
        act(desk)
    assert type(raised.value) is refusal
    assert books.world() == before
    assert desk.wallet.calls == calls
    return raised.value


QUOTES: list[tuple[str, Act, type[Refusal], str]] = [
    ("the wallet's asset is given", lambda d: d.sell_quote("50.00", asset="EUR"), create_quote.AssetNotAccepted, "EUR"),
    ("another pool's position", lambda d: d.sell_quote("1", asset="ETH"), create_quote.AssetNotAccepted, "ETH"),
    ("more decimals than the asset has", lambda d: d.sell_quote("1.0000001"), Malformed, ""),
    ("zero", lambda d: d.sell_quote("0"), Malformed, ""),
    ("proceeds below the pool's minimum", lambda d: d.sell_quote("1.08"), create_quote.AmountTooSmall, ""),
    ("proceeds of nothing", lambda d: d.sell_quote("0.000001"), create_quote.AmountTooSmall, ""),
    ("proceeds above its maximum", lambda d: d.sell_quote("60000.00"), create_quote.AmountTooLarge, ""),
]


@pytest.mark.parametrize(("case", "act", "refusal", "word"), QUOTES, ids=[row[0] for row in QUOTES])
def test_sell_quote_is_refused(case: str, act: Act, refusal: type[Refusal], word: str, desk: Desk) -> None:
    desk.holding()
    _refused(desk, act, refusal)


def test_sell_quote_is_refused_when_the_fees_are_as_large_as_the_proceeds(desk: Desk) -> None:
    in_force(fee("platform_fee", "sell", fixed_minor=4_000), code="platform_fee-sell-eur")
    _refused(desk, lambda d: d.sell_quote("43.00"), create_quote.AmountTooSmall)
    assert desk.quote("43.00").fee_minor == 42, "a buy has fees of its own"


def test_sell_quote_is_refused_when_the_rate_is_stale(desk: Desk) -> None:
    desk.later(seconds=301)
    _refused(desk, lambda d: d.sell_quote("1", pool="USD-ETH", asset="ETH"), StaleRate)
    assert desk.sell_quote().fx_rate is None, "the other pools need no rate"


def test_sell_is_refused_when_its_quote_has_expired_or_its_pool_is_halted(desk: Desk) -> None:
    desk.holding()
    late, halted = desk.sell_quote(), desk.sell_quote()
    with db_transaction.atomic():
        halt_pool(pool=Pool.objects.get(code="EUR-USDT"), reason="test", actor="user:lead", now=desk.clock.now())
    _refused(desk, lambda d: d.submit(halted), PoolHalted)
    desk.clock.move_to(late.expires_at)
    _refused(desk, lambda d: d.submit(late), submit_order.QuoteExpired)


def test_sell_is_refused_when_the_position_holds_less(desk: Desk) -> None:
    bought = desk.holding("100.00")
    much, none = desk.sell_quote("500.00"), desk.sell_quote("5.00", user="nobody")
    missing = _refused(desk, lambda d: d.submit(much), submit_order.PositionTooSmall)
    assert missing.fields == {"available": f"{int(bought.target_minor) / 10**6:.6f}", "asset": "USDT"}
    nobody = _refused(desk, lambda d: d.submit(none), submit_order.PositionTooSmall)
    assert nobody.fields == {"available": "0.000000", "asset": "USDT"}


def test_sell_is_refused_when_other_sells_hold_the_position(desk: Desk) -> None:
    desk.holding("100.00")
    first = desk.sell("60.00")
    second = desk.sell_quote("60.00")
    refusal = _refused(desk, lambda d: d.submit(second), submit_order.PositionTooSmall)
    assert refusal.code == "position_too_small"
    with db_transaction.atomic():
        halt_pool(pool=Pool.objects.get(code="EUR-USDT"), reason="test", actor="user:lead", now=desk.clock.now())
    desk.drive(passes=1)
    assert reloaded(first).state == "failed"
    Pool.objects.get(code="EUR-USDT").halts.update(lifted_by="user:lead", lifted_at=desk.clock.now())
    assert desk.sell("60.00").state == "queued", "a failed sell gives its hold back"


def test_bought_but_not_yet_settled_is_not_sold(desk: Desk) -> None:
    """Pending credits are never spent."""
    desk.order("100.00")
    quote = desk.sell_quote("10.00")
    _refused(desk, lambda d: d.submit(quote), submit_order.PositionTooSmall)


def test_sell_is_refused_when_the_price_has_fallen_since_its_quote(desk: Desk) -> None:
    desk.holding("30000.00")
    small, large = desk.sell_quote("100.00"), desk.sell_quote("30000.00")
    desk.submit(large)
    _refused(desk, lambda d: d.submit(small), submit_order.PriceMoved)


def test_one_of_four_sells_at_once_passes_when_the_position_covers_one(desk: Desk) -> None:
    desk.holding("100.00")
    quotes = [desk.sell_quote("60.00") for _ in range(4)]
    desk.holding("40000.00", user="bob")  # the price has risen since: the pool covers all four
    now = desk.clock.now()

    def sell(place: int) -> Order:
        with clock.use(desk.clock), db_transaction.atomic():
            return submit_order.submit_order(
                caller=desk.caller,
                quote_reference=quotes[place].reference,
                partner_order_id=f"at-once-{place}",
                user_reference="alice",
                idempotency_key=f"at-once-{place}",
                now=now,
            )

    ends = run_threads(*(lambda place=place: sell(place) for place in range(4)))
    passed = [end for end in ends if isinstance(end, Order)]
    refused = [end for end in ends if not isinstance(end, Order)]
    assert len(passed) == 1
    assert [type(end) for end in refused] == [submit_order.PositionTooSmall] * 3
    assert Trade.objects.filter(state="reserved").count() == 1
    position = books.balances()["positions:acme:alice", "USDT"]
    assert position[2] == 60_000_000
    desk.drive(passes=1)
    assert reloaded(passed[0]).state == "processed"
    assert [kind for kind, _ in desk.wallet.calls] == ["ask"]


def test_two_sells_in_two_pools_cannot_share_one_position(desk: Desk) -> None:
    """No pool's lock is between them: the ledger's own rule is."""
    Pool.objects.filter(code="EUR-ETH").update(position_asset="USDT")
    desk.holding("100.00")
    second = _pool_like_the_first(desk)
    quotes = [desk.sell_quote("60.00"), desk.sell_quote("60.00", pool=second)]
    now = desk.clock.now()

    def sell(place: int) -> Order:
        with clock.use(desk.clock), db_transaction.atomic():
            return submit_order.submit_order(
                caller=desk.caller,
                quote_reference=quotes[place].reference,
                partner_order_id=f"two-pools-{place}",
                user_reference="alice",
                idempotency_key=f"two-pools-{place}",
                now=now,
            )

    ends = run_threads(lambda: sell(0), lambda: sell(1))
    assert sorted(type(end).__name__ for end in ends) == ["Order", "PositionTooSmall"]
    assert books.balances()["positions:acme:alice", "USDT"][2] == 60_000_000


def _pool_like_the_first(desk: Desk) -> str:
    from ledger import accounts, journal
    from ledger.drafts import Draft
    from ledger.money import Money

    address = accounts.pool("EUR-USDT-2")
    with db_transaction.atomic():
        Pool.objects.create(
            environment="test",
            code="EUR-USDT-2",
            cash_asset="EUR",
            position_asset="USDT",
            minimum_minor=100,
            maximum_minor=5_000_000,
        )
        accounts.open_accounts(
            environment="test",
            openings=[accounts.Opening(address, asset, accounts.POOL) for asset in ("EUR", "USDT")],
        )
        journal.post_all(
            environment="test",
            drafts=[
                Draft(
                    event_type="POOL_FUNDING",
                    key=f"second:{side.asset}",
                    subject="pool:EUR-USDT-2",
                    amounts={"amount": side},
                    accounts={"world": accounts.WORLD, "pool": address},
                )
                for side in (Money(1_000_000_000, "EUR"), Money(10_850_000_000_000, "USDT"))
            ],
        )
    return "EUR-USDT-2"


def test_no_credit_is_asked_without_a_settled_trade(desk: Desk) -> None:
    """The remote door itself refuses, whatever its caller believes (rules R1 and R2)."""
    from orders.sagas import sell
    from orders.sagas.sell import credit_leg

    desk.holding()
    order = desk.sell()
    leg = credit_leg(order, version=1)
    sell.advance(order)
    sell.advance(reloaded(order))
    assert reloaded(order).state == "operator_credit_pending"
    for grounds in (None, lambda: False):
        with pytest.raises(Unfounded):
            remote_operations.perform(leg, waits=lambda: True, grounds=grounds)
    assert desk.wallet.calls == []
    bought = desk.order("10.00")
    desk.drive(passes=1)
    with pytest.raises(Unfounded):
        remote_operations.perform(credit_leg(bought, version=1), waits=lambda: True, grounds=lambda: True)
    assert [call for call in desk.wallet.calls if "credit" in call[1] and bought.reference in call[1]] == []
    assert reloaded(order).state == "processed"
    with pytest.raises(Unfounded):
        remote_operations.perform(credit_leg(order, version=2), waits=lambda: True, grounds=lambda: True)
    assert [call for call in desk.wallet.calls if "credit" in call[1]] == [("ask", leg.key)]


def test_sell_does_not_ask_when_no_wallet_is_paused_and_time_is_over(desk: Desk) -> None:
    desk.holding()
    Gateway.objects.update(execute_within_ms=1_000)
    before = books.balances()
    order = desk.sell()
    desk.later(seconds=2)
    desk.drive(passes=1, pause=timedelta(seconds=1))
    assert (reloaded(order).state, reloaded(order).status_reason) == ("failed", "not_executed")
    assert desk.wallet.calls == []
    assert books.balances() == before
