"""Offer terms for a buy (OpenPoly, buy-side flow 1 and 2)."""

import re
from datetime import datetime, timedelta
from decimal import Decimal

from ledger import assets, money
from ledger.controls import references
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.rest.caller import Caller
from ledger.money import Money
from orders import transitions
from orders.models import Pool, PoolHalt, Quote
from orders.venue_adapters import venue_of
from wallets import fees, rates
from wallets.gateway_terms import gateway_terms

_USER_REFERENCE = re.compile(r"[A-Za-z0-9._@-]{1,64}", re.ASCII)


class UnknownPool(Refusal):
    """There is no such pool."""

    code = "unknown_pool"


class PoolHalted(Refusal):
    """This pool is halted."""

    code = "pool_halted"


class AssetNotAccepted(Refusal):
    """The connected wallet holds another asset."""

    code = "asset_not_accepted"


class AmountTooSmall(Refusal):
    """The amount is too small for this pool."""

    code = "amount_too_small"


class AmountTooLarge(Refusal):
    """The amount is too large for this pool."""

    code = "amount_too_large"


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
) -> Quote:
    """Compute terms with the current rate and fees. An indicative quote (`firm` false) is not stored: its pk is None.

    Raises Malformed, UnknownPool, PoolHalted, AssetNotAccepted, AmountTooSmall, AmountTooLarge, NoGateway, NoRate or
    StaleRate.
    """
    if side not in Quote.Side.values:
        raise Malformed("side is “buy”.", errors={"side": ["Not one of: buy."]})
    if not _USER_REFERENCE.fullmatch(user_reference):
        message = "1 to 64 of the characters A-Z a-z 0-9 . _ @ -"
        raise Malformed("The user reference is malformed.", errors={"user_reference": [message]})
    pool = Pool.objects.filter(environment=caller.environment, code=pool_code).first()
    if pool is None:
        raise UnknownPool(errors={"pool_id": ["There is no such pool."]})
    if PoolHalt.objects.filter(pool=pool, lifted_at__isnull=True).exists():
        raise PoolHalted
    wallet = gateway_terms(operator_id=caller.operator_id, environment=caller.environment)
    if source_asset != wallet.wallet_asset:
        message = f"The connected wallet holds {wallet.wallet_asset}."
        raise AssetNotAccepted(message, errors={"source_asset": [message]})
    source = _amount(source_amount, assets.named(source_asset))

    items = fees.price(
        environment=caller.environment, operator_id=caller.operator_id, flow=side, amount=source, now=now
    )
    fee, vat = fees.total(items, source.asset)
    net = source - fee - vat
    if net.minor <= 0:
        raise AmountTooSmall("The fees are as large as the amount.")
    rate = None
    cash = net
    if pool.cash_asset != source.asset:
        rate = rates.current(base=source.asset, quote=pool.cash_asset, now=now)
        cash = rate.convert(net)
    if cash.minor < pool.minimum_minor or cash.minor == 0:
        raise AmountTooSmall(minimum=assets.text(int(pool.minimum_minor), pool.cash_asset), asset=pool.cash_asset)
    if cash.minor > pool.maximum_minor:
        raise AmountTooLarge(maximum=assets.text(int(pool.maximum_minor), pool.cash_asset), asset=pool.cash_asset)
    target = venue_of(pool).price(pool=pool, cash_minor=cash.minor)
    if target <= 0:
        raise AmountTooSmall("The pool gives nothing for this amount.")

    quote = Quote(
        reference=references.new(references.Prefix.QUOTE) if firm else "",
        environment=caller.environment,
        operator_id=caller.operator_id,
        pool_id=pool.pk,
        pool_code=pool.code,
        side=side,
        user_reference=user_reference,
        source_asset=source.asset,
        source_minor=Decimal(source.minor),
        fee_minor=Decimal(fee.minor),
        vat_minor=Decimal(vat.minor),
        fee_items=[_item(item) for item in items],
        cash_asset=cash.asset,
        cash_minor=Decimal(cash.minor),
        fx_rate=rate.value if rate else None,
        fx_source=rate.source if rate else "",
        fx_observed_at=rate.observed_at if rate else None,
        target_asset=pool.position_asset,
        target_minor=Decimal(target),
        expires_at=now + timedelta(milliseconds=pool.quote_lifetime_ms),
        created_at=now,
        updated_at=now,
    )
    if firm:
        transitions.offer(quote, actor=caller.actor, now=now)
    return quote


def _amount(text: object, asset: money.Asset) -> Money:
    try:
        amount = money.parse(text, asset)
    except money.InvalidAmount as error:
        raise Malformed("The amount is malformed.", errors={"source_amount": [str(error)]}) from error
    if amount.minor == 0:
        raise Malformed("The amount is zero.", errors={"source_amount": ["An amount is more than zero."]})
    return amount


def _item(item: fees.FeeItem) -> dict[str, str | int]:
    return {
        "name": item.name,
        "version": item.version,
        "amount": assets.text(item.fee.minor, item.fee.asset),
        "vat": assets.text(item.vat.minor, item.vat.asset),
        "asset": item.fee.asset,
    }
