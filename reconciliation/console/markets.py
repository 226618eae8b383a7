"""The console's operations on outcome markets. What came true is proposed by one ops lead and approved by another."""

from typing import NamedTuple

from ledger import money
from ledger.assets import named
from ledger.controls import clock
from ledger.controls.refusals import Malformed, NotFound
from ledger.controls.roles import Ability
from ledger.environments import Environment
from ledger.money import Money
from orders.models import Market
from orders.operations import fund_maker, open_market, resolve_market
from reconciliation.console.operation import Form, Operation

_State = Market.State


class _Named(NamedTuple):
    environment: str
    code: str


def _open(form: Form, actor: str) -> str:
    funding = _amount(form, "funding")
    market = open_market.open_market(
        environment=Environment(form.get("environment", "test")),
        code=form.get("market", ""),
        question=form.get("question", ""),
        funding=funding,
        minimum_minor=_amount(form, "minimum").minor,
        maximum_minor=_amount(form, "maximum").minor,
        actor=actor,
        now=clock.now(),
    )
    return f"{market.code} is open, at an even price."


def _close(form: Form, actor: str) -> str:
    environment, code = _market(form)
    if not form.get("reason"):
        raise Malformed("A reason is needed.")
    resolve_market.close_market(
        environment=environment, code=code, reason=form["reason"][:200], actor=actor, now=clock.now()
    )
    return f"{code} takes no more trades; what is reserved still settles."


def _propose(form: Form, actor: str) -> str:
    environment, code = _market(form)
    resolve_market.propose_outcome(
        environment=environment,
        code=code,
        price_yes=form.get("price_yes", ""),
        evidence=form.get("evidence", ""),
        actor=actor,
        now=clock.now(),
    )
    return f"Proposed for {code}: another ops lead has to approve it."


def _approve(form: Form, actor: str) -> str:
    environment, code = _market(form)
    market = resolve_market.approve_outcome(
        environment=environment, code=code, reason=form.get("reason", "")[:500], actor=actor, now=clock.now()
    )
    return f"{code} is {market.state}."


def _refuse(form: Form, actor: str) -> str:
    environment, code = _market(form)
    resolve_market.refuse_outcome(
        environment=environment, code=code, reason=form.get("reason", "")[:500], actor=actor, now=clock.now()
    )
    return f"The proposal for {code} is off."


def _fund(form: Form, actor: str) -> str:
    environment, code = _market(form)
    market = Market.objects.filter(environment=environment, code=code).first()
    if market is None:
        raise NotFound(f"There is no market {code}.")
    funding = _parsed(form.get("funding", ""), market.cash_asset)
    key = clock.now().isoformat()
    fund_maker.fund_maker(environment=environment, code=code, amount=funding, key=key, actor=actor)
    return f"The maker of {code} has more funds."


def _market(form: Form) -> _Named:
    environment, _, code = form.get("market", "").partition(" ")
    return _Named(environment, code)


def _amount(form: Form, name: str) -> Money:
    return _parsed(form.get(name, ""), form.get("asset", ""))


def _parsed(text: str, asset: str) -> Money:
    try:
        return money.parse(text, named(asset))
    except money.InvalidAmount as error:
        raise Malformed(str(error)) from error


def _markets(*states: str) -> list[str]:
    found = Market.objects.filter(state__in=states).order_by("environment", "code")
    return [f"{environment} {code}" for environment, code in found.values_list("environment", "code")]


MARKET_OPERATIONS: dict[str, Operation] = {
    "open-market": Operation(
        "Open a market",
        "Two pools, yes and no, that share one account; the maker's cash becomes complete sets, at an even price.",
        Ability.RUN_MARKETS,
        lambda: [
            ("environment", "Environment", [environment.value for environment in Environment]),
            ("market", "Code, A-Z 0-9 and hyphens", []),
            ("question", "Question", []),
            ("asset", "Cash asset", []),
            ("funding", "The maker's cash", []),
            ("minimum", "Smallest trade", []),
            ("maximum", "Largest trade", []),
        ],
        _open,
    ),
    "close-market": Operation(
        "Close a market",
        "No more trades; what is reserved still settles.",
        Ability.RUN_MARKETS,
        lambda: [("market", "Market", _markets(_State.OPEN)), ("reason", "Reason", [])],
        _close,
    ),
    "propose-outcome": Operation(
        "Propose what came true",
        "What one share of yes pays, 0 to 1 (one of no pays the rest), or void: every position is then worth what was paid"
        " for it. Another ops lead has to approve it.",
        Ability.RUN_MARKETS,
        lambda: [
            ("market", "Market", _markets(_State.CLOSED)),
            ("price_yes", "Price of yes, or void", []),
            ("evidence", "Evidence", []),
        ],
        _propose,
    ),
    "approve-outcome": Operation(
        "Approve what came true",
        "Holders can redeem from then on. Nobody approves their own proposal.",
        Ability.RUN_MARKETS,
        lambda: [("market", "Market", _markets(_State.CLOSED)), ("reason", "Reason", [])],
        _approve,
    ),
    "refuse-outcome": Operation(
        "Refuse a proposed outcome",
        "The market stays closed. Its maker thereby withdraws it.",
        Ability.RUN_MARKETS,
        lambda: [("market", "Market", _markets(_State.CLOSED)), ("reason", "Reason", [])],
        _refuse,
    ),
    "fund-maker": Operation(
        "Fund a market's maker",
        "What a voided market lacks comes out of these funds.",
        Ability.RUN_MARKETS,
        lambda: [("market", "Market", _markets(_State.OPEN, _State.CLOSED)), ("funding", "How much", [])],
        _fund,
    ),
}
