"""What a template would post for given parameters, on the balances that stand now. Posts and locks nothing."""

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger import balances, template_balances
from ledger.chart import stored, versions
from ledger.chart.active import compiled
from ledger.chart.book_postings import address_of
from ledger.chart.mappings import Phase
from ledger.chart.template import Template
from ledger.drafts import Draft
from ledger.money import Money


@dataclass(frozen=True, slots=True)
class Sent:
    """One posting, with the GL codes that its accounts have in the chart ("" for none)."""

    debit: str
    debit_code: str
    credit: str
    credit_code: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Effect:
    """What an account may be debited before and after, in minor units. `fault` says why the book would refuse."""

    address: str
    asset: str
    before: int | None
    after: int | None
    fault: str


@dataclass(frozen=True, slots=True)
class Preview:
    postings: Sequence[Sent]
    effects: Sequence[Effect]


def preview(
    *,
    environment: str,
    event_type: str,
    source: str,
    content: AnyMapping[str, Any] | None,
    amounts: AnyMapping[str, Money],
    accounts: AnyMapping[str, str],
) -> Preview:
    """Execute a draft of a template. Raises what Template.given and Template.sends raise, or Malformed."""
    standing = stored.standing(environment)
    mapping = versions.mapping_of(event_type, content) if content is not None else standing.mappings[event_type]
    template = Template(version=0, number=0, mapping=mapping, program=compiled(source))
    draft = Draft(event_type=event_type, key="preview", subject="preview", amounts=amounts, accounts=accounts)
    done = template_balances.previewed(environment, template, draft)
    postings = [
        Sent(
            debit=(debit := address_of(sent.source)),
            debit_code=_code(standing, debit),
            credit=(credit := address_of(sent.destination)),
            credit_code=_code(standing, credit),
            amount=Money(sent.amount, sent.asset),
        )
        for sent in done.postings
    ]
    return Preview(postings=postings, effects=_effects(environment, standing, mapping.phase, postings))


def _code(standing: stored.Standing, address: str) -> str:
    entry = standing.chart.entry_of(address)
    return entry.gl_code if entry is not None else ""


def _effects(environment: str, standing: stored.Standing, phase: Phase, postings: Sequence[Sent]) -> list[Effect]:
    """Pending debits count at once, pending credits not; a settle or release is shown as if its hold had been placed."""
    pairs = {(address, one.amount.asset): None for one in postings for address in (one.debit, one.credit)}
    found = balances.read(environment=environment, accounts=list(pairs))
    effects = []
    for address, asset in pairs:
        taken = sum(one.amount.minor for one in postings if (one.debit, one.amount.asset) == (address, asset))
        given = sum(one.amount.minor for one in postings if (one.credit, one.amount.asset) == (address, asset))
        balance = found.get((address, asset))
        if balance is None:
            effects.append(Effect(address, asset, None, None, "there is no such account in this book"))
            continue
        if phase is Phase.RESERVE:
            given = 0
        elif phase in (Phase.SETTLE, Phase.RELEASE):
            taken = 0
        after = balance.available - taken + given
        entry = standing.chart.entry_of(address)
        ruled = entry is not None and entry.balance_rule == "debits_must_not_exceed_credits"
        effects.append(
            Effect(address, asset, balance.available, after, "it would be overdrawn" if ruled and after < 0 else "")
        )
    return effects
