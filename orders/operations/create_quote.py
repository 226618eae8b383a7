"""Offer terms (OpenPoly, buy-side flow 1 and 2; sell or redemption flow 1 and 2).

A buy: what the wallet gives, less fees, converted at the current rate, is what the pool takes; its output is the target.
A sell or redemption: the pool's cash output (of a resolved market: what the shares are worth) is the proceeds in credits;
converted, less fees, they are the external payout amount.
Every output and every conversion is rounded down: a pool never loses to rounding.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from ledger import assets, money
from ledger.controls import planned_rows, references
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.rest.caller import Caller
from ledger.money import Money
from orders import trade_terms, transitions
from orders.models import Pool, Quote
from orders.venue_adapters import venue_of
from orders.venue_port import Offer, PriceNeeded
from wallets import pricing, rates, standing_rules
from wallets.gateway_terms import gateway_terms

_USER_REFERENCE = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)


class UnknownPool(Refusal):
    """There is no such pool."""

    code = "unknown_pool"


class AssetNotAccepted(Refusal):
    """Another asset is given here: a buy gives the connected wallet's, a sell the pool's position."""

    code = "asset_not_accepted"


class AmountTooSmall(Refusal):
    """The amount is too small for this pool."""

    code = "amount_too_small"


class AmountTooLarge(Refusal):
    """The amount is too large for this pool."""

    code = "amount_too_large"


class WorthNothing(Refusal):
    """This position is worth nothing: there is nothing to redeem."""

    code = "worth_nothing"


@dataclass(frozen=True, slots=True)
class _Terms:
    """What is given, the pool's cash side, what comes out, and what was taken between; `rate` is None without FX."""

    source: Money
    cash: Money
    target: Money
    priced: pricing.Priced
    rate: rates.Rate | None


def create_quote(
    *,
    caller: Caller,
    pool_code: str,
    side: str,
    source_asset: str,
    source_amount: object,
    user_reference: str,
    firm: bool,
    now: datetime,
    offer: Offer | None = None,
) -> Quote:
    """Compute terms with the current rate and fees. An indicative quote (`firm` false) is not stored: its pk is None.

    In a pool of an outside venue `offer` is what that said; without one that fits, raises PriceNeeded. Raises Malformed,
    UnknownPool, PoolHalted, PoolUnavailable, AssetNotAccepted, AmountTooSmall, AmountTooLarge, NoGateway, NoRate,
    StaleRate or ConditionFailed.
    """
    if side not in Quote.Side.values:
        known = ", ".join(Quote.Side.values)
        raise Malformed(f"side is one of {known}.", errors={"side": [f"Not one of: {known}."]})
    if not _USER_REFERENCE.fullmatch(user_reference):
        message = "1 to 64 of the characters A-Z a-z 0-9 . _ @ -"
        raise Malformed("The user reference is malformed.", errors={"user_reference": [message]})
    pool = planned_rows.find(Pool, environment=caller.environment, code=pool_code)
    if pool is None:
        raise UnknownPool(errors={"pool_id": ["There is no such pool."]})
    if refusal := venue_of(pool).refusal(pool=pool, side=side):
        raise refusal
    wallet = gateway_terms(operator_id=caller.operator_id, environment=caller.environment)
    accepted = wallet.wallet_asset if side == Quote.Side.BUY else pool.position_asset
    if source_asset != accepted:
        message = f"A {side} here gives {accepted}."
        raise AssetNotAccepted(message, errors={"source_asset": [message]})
    source = _amount(source_amount, assets.named(source_asset))
    position = trade_terms.position_account(pool, operator_slug=caller.operator_slug, user_reference=user_reference)
    if side == Quote.Side.BUY:
        terms = _buy(caller, pool, source, position, offer=offer, now=now)
    else:
        terms = _payout(caller, pool, side, source, position, wallet_asset=wallet.wallet_asset, offer=offer, now=now)

    quote = Quote(
        reference=references.new(references.Prefix.QUOTE) if firm else "",
        environment=caller.environment,
        operator_id=caller.operator_id,
        pool_id=pool.pk,
        pool_code=pool.code,
        side=side,
        user_reference=user_reference,
        source_asset=terms.source.asset,
        source_minor=Decimal(terms.source.minor),
        fee_minor=Decimal(terms.priced.fee.minor),
        vat_minor=Decimal(terms.priced.vat.minor),
        fee_items=[item.as_json() for item in terms.priced.items],
        cash_asset=terms.cash.asset,
        cash_minor=Decimal(terms.cash.minor),
        fx_rate=terms.rate.value if terms.rate else None,
        fx_source=terms.rate.source if terms.rate else "",
        fx_observed_at=terms.rate.observed_at if terms.rate else None,
        target_asset=terms.target.asset,
        target_minor=Decimal(terms.target.minor),
        venue_quote_id=offer.quote_id if offer and pool.kind == Pool.Kind.OUTSIDE else "",
        expires_at=now + timedelta(milliseconds=pool.quote_lifetime_ms),
        created_at=now,
        updated_at=now,
    )
    if firm:
        transitions.offer(quote, actor=caller.actor, now=now)
    return quote


def _buy(caller: Caller, pool: Pool, source: Money, position: str, *, offer: Offer | None, now: datetime) -> _Terms:
    priced = _priced(caller, "buy", source, now=now)
    net = priced.credit
    rate = None
    cash = net
    if pool.cash_asset != source.asset:
        rate = rates.current(base=source.asset, quote=pool.cash_asset, now=now)
        cash = rate.convert(net)
    _need_within_limits(pool, cash)
    given = _given(pool, Quote.Side.BUY, cash, position, given_asset=pool.position_asset, offer=offer)
    if given <= 0:
        raise _too_small("The pool gives nothing for this amount.")
    return _Terms(source, cash, Money(given, pool.position_asset), priced, rate)


def _given(pool: Pool, side: str, taken_in: Money, position: str, *, given_asset: str, offer: Offer | None) -> int:
    """Return what the pool gives for so much, by its own curve or by an outside venue's offer for exactly that."""
    if pool.kind != Pool.Kind.OUTSIDE:
        return venue_of(pool).price(pool=pool, side=side, taken_in=taken_in.minor, position=position)
    if offer is None or (offer.pool_id, offer.side, offer.taken_in) != (pool.pk, side, taken_in):
        raise PriceNeeded(pool=pool, side=side, taken_in=taken_in, given_asset=given_asset)
    return offer.given.minor


def _payout(
    caller: Caller,
    pool: Pool,
    side: str,
    source: Money,
    position: str,
    *,
    wallet_asset: str,
    offer: Offer | None,
    now: datetime,
) -> _Terms:
    """A sell, within the pool's limits, or a redemption, of whatever is worth something."""
    given = _given(pool, side, source, position, given_asset=pool.cash_asset, offer=offer)
    proceeds = Money(given, pool.cash_asset)
    if side == Quote.Side.SELL:
        _need_within_limits(pool, proceeds)
    elif proceeds.minor == 0:
        raise WorthNothing
    rate = None
    gross = proceeds
    if pool.cash_asset != wallet_asset:
        rate = rates.current(base=pool.cash_asset, quote=wallet_asset, now=now)
        gross = rate.convert(proceeds)
    priced = _priced(caller, side, gross, now=now)
    return _Terms(source, proceeds, priced.credit, priced, rate)


def _priced(caller: Caller, flow: str, amount: Money, *, now: datetime) -> pricing.Priced:
    """Price the fees of an amount of the wallet's asset, which must be worth more than they are: all come out of it."""
    try:
        standing = standing_rules.standing(environment=caller.environment, operator_id=caller.operator_id)
        return pricing.price_with(
            standing.fees_of(flow=flow, asset=amount.asset),
            operator_id=caller.operator_id,
            flow=flow,
            channel="",
            amount=amount,
            facts={},
            now=now,
        )
    except pricing.FeesExceedAmount as refusal:
        raise _too_small("The fees are as large as the amount.") from refusal


def _need_within_limits(pool: Pool, cash: Money) -> None:
    asset = pool.cash_asset
    if cash.minor < pool.minimum_minor or cash.minor == 0:
        minimum = assets.text(int(pool.minimum_minor), asset)
        raise _too_small(f"This pool trades from {minimum} {asset} on.", minimum=minimum, asset=asset)
    if cash.minor > pool.maximum_minor:
        maximum = assets.text(int(pool.maximum_minor), asset)
        message = f"This pool trades up to {maximum} {asset}."
        raise AmountTooLarge(message, errors={"source_amount": [message]}, maximum=maximum, asset=asset)


def _too_small(message: str, **fields: str) -> AmountTooSmall:
    return AmountTooSmall(message, errors={"source_amount": [message]}, **fields)


def _amount(text: object, asset: money.Asset) -> Money:
    try:
        amount = money.parse(text, asset)
    except money.InvalidAmount as error:
        raise Malformed("The amount is malformed.", errors={"source_amount": [str(error)]}) from error
    if amount.minor == 0:
        raise Malformed("The amount is zero.", errors={"source_amount": ["An amount is more than zero."]})
    return amount
