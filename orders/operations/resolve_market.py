"""Close a market, then say what came true: two people, by evidence; or void it, and every position is worth its price.

A proposal is bound to the market's version. Self-approval is impossible for anyone (rule H1).
"""

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from ledger import accounts, assets, balances
from ledger.controls import approvals
from ledger.controls.refusals import Malformed, Refusal
from ledger.drafts import Draft
from ledger.money import Money
from orders import transitions
from orders.locks import lock_market
from orders.models import Market, Pool
from orders.positions_paid import paid_for_all

VOID: Final = "void"
_KIND: Final = "market_resolution"
_SCALE: Final = 6


class EvidenceMissing(Refusal):
    """A resolution needs its evidence."""

    code = "evidence_missing"


class NotClosed(Refusal):
    """A market is resolved or voided once it is closed, and once only."""

    code = "market_not_closed"
    status = 409


class ProposalWaits(Refusal):
    """A proposal waits for a decision already."""

    code = "proposal_waits"
    status = 409


class NothingProposed(Refusal):
    """No proposal for this market waits for a decision."""

    code = "nothing_proposed"
    status = 409


class MakerLacksFunds(Refusal):
    """The maker's funds do not cover what was paid for the positions; fund it first."""

    code = "maker_lacks_funds"
    status = 409


def close_market(*, environment: str, code: str, reason: str, actor: str, now: datetime) -> Market:
    """Take no more trades; what is reserved still settles. In the caller's transaction. Raises IllegalMove."""
    market = lock_market(environment=environment, code=code)
    transitions.close_market(market, reason=reason, actor=actor, now=now)
    return market


def propose_outcome(*, environment: str, code: str, price_yes: str, evidence: str, actor: str, now: datetime) -> str:
    """Propose what one share of yes pays, 0 to 1, or VOID. In the caller's transaction; return the proposal's id."""
    if not evidence.strip():
        raise EvidenceMissing
    market = lock_market(environment=environment, code=code)
    if market.state != Market.State.CLOSED:
        raise NotClosed(f"The market is {market.state}.")
    if approvals.lock_open(subject=market.reference) is not None:
        raise ProposalWaits
    proposal = approvals.propose(
        environment=environment,
        kind=_KIND,
        subject=market.reference,
        subject_version=market.version,
        content={"price_yes": price_yes if price_yes == VOID else format(_price(price_yes), "f")},
        reason=evidence.strip()[:500],
        maker=actor,
        now=now,
    )
    return proposal.reference


def approve_outcome(*, environment: str, code: str, reason: str, actor: str, now: datetime) -> Market:
    """Approve another person's proposal and carry it out. Raises SelfApproval, OutdatedProposal, MakerLacksFunds, …"""
    market = lock_market(environment=environment, code=code)
    approval = approvals.lock_open(subject=market.reference)
    if approval is None:
        raise NothingProposed
    approvals.approve(approval, checker=actor, reason=reason, subject_version=market.version, now=now)
    price = approval.content["price_yes"]
    if price == VOID:
        shortfall = _shortfall(market)
        transitions.void_market(
            market,
            drafts=[_void(market, shortfall)] if shortfall.minor else [],
            evidence=approval.reason,
            maker=approval.maker,
            checker=actor,
            now=now,
        )
    else:
        transitions.resolve_market(
            market,
            price_yes=Decimal(price),
            evidence=approval.reason,
            maker=approval.maker,
            checker=actor,
            now=now,
        )
    return market


def refuse_outcome(*, environment: str, code: str, reason: str, actor: str, now: datetime) -> Market:
    """Decide against a proposal; its maker thereby withdraws it."""
    market = lock_market(environment=environment, code=code)
    approval = approvals.lock_open(subject=market.reference)
    if approval is None:
        raise NothingProposed
    approvals.refuse(approval, checker=actor, reason=reason, now=now)
    return market


def _price(text: str) -> Decimal:
    plain = text.isascii() and text.replace(".", "", 1).isdigit() and len(text.partition(".")[2]) <= _SCALE
    try:
        price = Decimal(text) if plain else Decimal(-1)
    except InvalidOperation:
        price = Decimal(-1)
    if not 0 <= price <= 1:
        raise Malformed(f"The price of yes is a decimal from 0 to 1 with at most {_SCALE} decimals, or “{VOID}”.")
    return price


def _shortfall(market: Market) -> Money:
    """Return what the pool lacks to pay back what was paid for every position; the maker must have it."""
    pools = Pool.objects.filter(environment=market.environment, market_code=market.code).order_by("pk")
    owed = sum(paid_for_all(pool) for pool in pools)
    asset = market.cash_asset
    places = [(accounts.pool(market.code), asset), (accounts.maker(market.code), asset)]
    found = balances.read(environment=market.environment, accounts=places)
    lacking = Money(max(owed - found[places[0]].posted, 0), asset)
    missing = lacking.minor - found[places[1]].available
    if lacking.minor and missing > 0:
        raise MakerLacksFunds(missing=assets.text(missing, asset), asset=asset)
    return lacking


def _void(market: Market, shortfall: Money) -> Draft:
    return Draft(
        event_type="MARKET_VOID",
        key=f"{market.reference}:void",
        subject=market.reference,
        refs={"market": market.reference},
        amounts={"shortfall": shortfall},
        accounts={"maker": accounts.maker(market.code), "pool": accounts.pool(market.code)},
    )
