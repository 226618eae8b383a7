"""Open an outcome market: its two pools, their one account, the maker's cash and every share there will ever be."""

import re
from datetime import datetime
from decimal import Decimal

from ledger import accounts, assets
from ledger.accounts import Opening
from ledger.controls import references
from ledger.controls.refusals import Malformed, Refusal
from ledger.drafts import Draft
from ledger.money import Money
from orders import transitions
from orders.models import Market, Pool
from orders.outcome_shares import ISSUED, OUTCOMES

_CODE = re.compile(r"[A-Z0-9-]{1,30}", re.ASCII)


class MarketExists(Refusal):
    """There is a market with this code already."""

    code = "market_exists"
    status = 409


def open_market(
    *,
    environment: str,
    code: str,
    question: str,
    funding: Money,
    minimum_minor: int,
    maximum_minor: int,
    actor: str,
    now: datetime,
) -> Market:
    """Open in the caller's transaction: the maker starts with complete sets for all of `funding`, at an even price.

    Limits are of a trade, in the cash asset, whose scale must be the shares'. Raises Malformed or MarketExists.
    """
    if not _CODE.fullmatch(code):
        raise Malformed("A market's code is 1 to 30 of the characters A-Z 0-9 -.")
    if not question.strip():
        raise Malformed("A market has a question.")
    cash = assets.named(funding.asset)
    if any(assets.named(outcome).scale != cash.scale for outcome in OUTCOMES):
        raise Malformed(f"Shares have other decimals than {cash.code}.")
    if not 0 < funding.minor < ISSUED:
        raise Malformed("The maker's funding is more than zero, and less than the shares that are made.")
    if Market.objects.filter(environment=environment, code=code).exists():
        raise MarketExists
    market = Market(
        reference=references.new(references.Prefix.MARKET),
        environment=environment,
        operator_id=None,
        code=code,
        question=question.strip()[:300],
        cash_asset=funding.asset,
        funding_minor=Decimal(funding.minor),
    )
    for outcome in OUTCOMES:
        Pool.objects.create(
            environment=environment,
            code=f"{code}-{outcome}",
            kind=Pool.Kind.OUTCOME,
            market_code=code,
            cash_asset=funding.asset,
            position_asset=outcome,
            minimum_minor=Decimal(minimum_minor),
            maximum_minor=Decimal(maximum_minor),
        )
    _open_accounts(market)
    maker, pool = accounts.maker(code), accounts.pool(code)
    drafts = [
        _funded(market, "maker", funding, source=accounts.WORLD, destination=maker),
        _funded(market, "cash", funding, source=maker, destination=pool),
        *(
            _funded(market, outcome, Money(ISSUED, outcome), source=accounts.WORLD, destination=pool)
            for outcome in OUTCOMES
        ),
    ]
    transitions.open_market(market, drafts=drafts, actor=actor, now=now)
    return market


def _funded(market: Market, step: str, amount: Money, *, source: str, destination: str) -> Draft:
    return Draft(
        event_type="POOL_FUNDING",
        key=f"{market.reference}:funding:{step}",
        subject=market.reference,
        refs={"market": market.reference},
        amounts={"amount": amount},
        accounts={"world": source, "pool": destination},
    )


def _open_accounts(market: Market) -> None:
    pool, cash = accounts.pool(market.code), market.cash_asset
    accounts.open_accounts(
        environment=market.environment,
        openings=[
            Opening(accounts.maker(market.code), cash, accounts.MAKER),
            *(Opening(pool, asset, accounts.POOL) for asset in (cash, *OUTCOMES)),
            *(Opening(accounts.WORLD, asset, accounts.OUTSIDE) for asset in (cash, *OUTCOMES)),
            Opening(accounts.fx(cash), cash, accounts.FX),
        ],
    )
