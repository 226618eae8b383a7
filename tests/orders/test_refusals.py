"""A refused quote or order leaves nothing behind: balances, postings, moves, events and remote calls as they were."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction as db_transaction

from ledger.controls.moves import IllegalMove
from ledger.controls.refusals import Malformed, NotFound, Refusal
from ledger.environments import Environment
from orders import transitions
from orders.models import Order, Pool, PoolHalt, Quote
from orders.operations import create_quote, submit_order
from orders.operations.cancel_quote import cancel_quote
from orders.operations.expire_quotes import expire_quotes
from orders.operations.halt_pool import halt_pool
from orders.venue_port import PoolHalted
from tests.orders import books
from tests.orders.desk import Desk, reloaded, trade_of
from tests.wallets.rules import fee, in_force
from wallets.gateway_terms import NoGateway
from wallets.models import Gateway
from wallets.rates import NoRate, StaleRate

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
    ("an unknown pool", lambda d: d.quote(pool="EUR-XYZ"), create_quote.UnknownPool, "unknown_pool"),
    ("more decimals than the asset has", lambda d: d.quote("1.001"), Malformed, "malformed"),
    ("a sign", lambda d: d.quote("-1.00"), Malformed, "malformed"),
    ("zero", lambda d: d.quote("0.00"), Malformed, "malformed"),
    ("a user reference with a colon", lambda d: d.quote(user="a:b"), Malformed, "malformed"),
    ("fees as large as the amount", lambda d: d.quote("0.20"), create_quote.AmountTooSmall, "amount_too_small"),
    ("less than the pool's minimum", lambda d: d.quote("1.20"), create_quote.AmountTooSmall, "amount_too_small"),
    ("more than its maximum", lambda d: d.quote("60000.00"), create_quote.AmountTooLarge, "amount_too_large"),
]


@pytest.mark.parametrize(("case", "act", "refusal", "code"), QUOTES, ids=[row[0] for row in QUOTES])
def test_quote_is_refused(case: str, act: Act, refusal: type[Refusal], code: str, desk: Desk) -> None:
    assert _refused(desk, act, refusal).code == code


def test_quote_is_refused_when_the_rate_is_stale(desk: Desk) -> None:
    desk.later(seconds=300)
    assert desk.quote(pool="USD-ETH").fx_source == "fixed"
    desk.later(seconds=1)
    _refused(desk, lambda d: d.quote(pool="USD-ETH"), StaleRate)
    assert desk.quote(pool="EUR-ETH").fx_rate is None, "the other pools need no rate"


def test_quote_is_refused_when_there_is_no_rate(desk: Desk) -> None:
    Pool.objects.filter(code="USD-ETH").update(cash_asset="JPY", position_asset="ETH")
    _refused(desk, lambda d: d.quote(pool="USD-ETH"), NoRate)


def test_quote_is_refused_when_no_wallet_is_connected(desk: Desk) -> None:
    Gateway.objects.update(environment=Environment.LIVE)
    _refused(desk, lambda d: d.quote(), NoGateway)


def test_quote_is_refused_when_the_wallet_holds_another_asset(desk: Desk) -> None:
    Gateway.objects.update(wallet_asset="USD")
    _refused(desk, lambda d: d.quote(), create_quote.AssetNotAccepted)


def test_quote_and_order_are_refused_when_the_pool_is_halted(desk: Desk) -> None:
    quote = desk.quote()
    with db_transaction.atomic():
        halt_pool(pool=Pool.objects.get(code="EUR-USDT"), reason="test", actor="user:lead", now=desk.clock.now())
    _refused(desk, lambda d: d.quote(), PoolHalted)
    _refused(desk, lambda d: d.submit(quote), PoolHalted)
    assert PoolHalt.objects.count() == 1


def test_indicative_quote_shows_the_price_and_stores_nothing(desk: Desk) -> None:
    before = books.world()
    shown = desk.quote("100.00", firm=False)
    assert shown._state.adding
    assert books.world() == before
    assert shown.target_minor == desk.quote("100.00").target_minor


def test_order_is_refused_when_its_quote_has_expired(desk: Desk) -> None:
    """Expiry limits acceptance: to the instant; and the same once the drain has marked it."""
    quote = desk.quote()
    in_time = desk.quote()
    lifetime = timedelta(milliseconds=Pool.objects.get(code="EUR-USDT").quote_lifetime_ms)
    assert quote.expires_at == desk.clock.now() + lifetime
    desk.clock.move_to(quote.expires_at - timedelta(microseconds=1))
    desk.submit(in_time)
    desk.clock.move_to(quote.expires_at)
    _refused(desk, lambda d: d.submit(quote), submit_order.QuoteExpired)
    assert expire_quotes() == 1
    _refused(desk, lambda d: d.submit(quote), submit_order.QuoteExpired)
    assert Quote.objects.get(pk=quote.pk).state == "expired"
    assert Quote.objects.get(pk=in_time.pk).state == "accepted"


def test_order_is_processed_though_its_quote_would_have_expired_meanwhile(desk: Desk) -> None:
    order = desk.order()
    desk.later(minutes=10)
    assert expire_quotes() == 0
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"


def test_order_is_refused_when_its_quote_is_used(desk: Desk) -> None:
    quote = desk.quote()
    first = desk.submit(quote)
    refusal = _refused(desk, lambda d: d.submit(quote, partner_order_id="another"), submit_order.QuoteUsed)
    assert refusal.fields == {"order_id": first.reference}


def test_order_is_refused_when_its_quote_was_cancelled(desk: Desk) -> None:
    quote = desk.quote()
    with db_transaction.atomic():
        cancel_quote(caller=desk.caller, quote_reference=quote.reference, now=desk.clock.now())
    before = books.world()
    with db_transaction.atomic():
        cancel_quote(caller=desk.caller, quote_reference=quote.reference, now=desk.clock.now())
    assert books.world() == before, "cancelled twice is cancelled once"
    _refused(desk, lambda d: d.submit(quote), submit_order.QuoteCancelled)


def test_accepted_quote_is_immutable(desk: Desk) -> None:
    quote = desk.quote()
    desk.submit(quote)

    def cancel(desk: Desk) -> None:
        with db_transaction.atomic():
            cancel_quote(caller=desk.caller, quote_reference=quote.reference, now=desk.clock.now())

    def expire(desk: Desk) -> None:
        with db_transaction.atomic():
            transitions.expire(Quote.objects.get(pk=quote.pk), now=desk.clock.now())

    _refused(desk, cancel, IllegalMove)
    _refused(desk, expire, IllegalMove)


def test_order_is_refused_when_the_price_has_moved_since_its_quote(desk: Desk) -> None:
    small, large = desk.quote("100.00"), desk.quote("40000.00")
    first = desk.submit(large)
    _refused(desk, lambda d: d.submit(small), submit_order.PriceMoved)
    desk.wallet.script = [lambda wallet, kind, request: pytest.fail("never asked")]
    assert reloaded(first).state == "queued"


def test_price_is_back_when_the_reservation_that_moved_it_was_released(desk: Desk) -> None:
    from tests.orders.wallet import declined

    small, large = desk.quote("100.00"), desk.quote("40000.00")
    desk.wallet.script = [declined]
    desk.submit(large)
    _refused(desk, lambda d: d.submit(small), submit_order.PriceMoved)
    desk.drive(passes=1, pause=timedelta(seconds=1))
    desk.wallet.script = []
    order = desk.submit(small)
    desk.drive(passes=1)
    assert reloaded(order).state == "processed"
    assert trade_of(order).terms["amounts"]["position"]["minor"] == str(small.target_minor)


def test_order_is_refused_when_too_many_are_open_in_its_pool(desk: Desk) -> None:
    Pool.objects.update(open_reservations_cap=2)
    desk.order("10.00")
    desk.order("10.00")
    third = desk.quote("10.00")
    _refused(desk, lambda d: d.submit(third), submit_order.TooManyReservations)
    desk.order("10.00", pool="EUR-ETH")
    desk.drive(passes=1, pause=timedelta(seconds=1))
    desk.submit(third)


def test_order_is_refused_and_names_the_first_when_its_partner_order_id_is_taken(desk: Desk) -> None:
    first = desk.submit(desk.quote(), partner_order_id="shop-1")
    second = desk.quote()
    refusal = _refused(desk, lambda d: d.submit(second, partner_order_id="shop-1"), submit_order.DuplicatePartnerOrder)
    assert refusal.fields == {"order_id": first.reference}
    assert Quote.objects.get(pk=second.pk).state == "active"


def test_order_is_refused_when_the_quote_is_foreign_or_of_another_user(desk: Desk) -> None:
    from dataclasses import replace

    quote = desk.quote(user="alice")
    stranger = replace(desk, caller=replace(desk.caller, operator_id=desk.caller.operator_id + 1))
    live = replace(desk, caller=replace(desk.caller, environment="live"))
    _refused(stranger, lambda d: d.submit(quote), NotFound)
    _refused(live, lambda d: d.submit(quote), NotFound)

    def as_bob(desk: Desk) -> Order:
        with db_transaction.atomic():
            return submit_order.submit_order(
                caller=desk.caller,
                quote_reference=quote.reference,
                partner_order_id="p",
                user_reference="bob",
                idempotency_key="k",
                now=desk.clock.now(),
            )

    _refused(desk, as_bob, Malformed)
    _refused(desk, lambda d: d.submit(quote, partner_order_id="white space"), Malformed)


def test_fee_rule_that_changes_after_the_quote_changes_nothing_of_it(desk: Desk) -> None:
    order = desk.order()
    in_force(fee("platform_fee", "buy", fixed_minor=5_000), code="platform_fee-buy-eur")
    desk.drive(passes=2)
    assert books.balances()["revenue:orders", "EUR"] == (0, 70, 0, 0)
    assert reloaded(order).source_minor == 10_000
