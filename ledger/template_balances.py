"""Executing templates that depend on balances: what they look at is held first, so that the book still agrees after.

1 lock keys and accounts of the whole list, and read their balances (`ledger.balances.lock`)
2 look up what stands already under these keys: a repeat is executed on what the first time took, so that the same draft
  makes the same postings however the balances have moved since
3 execute in the order of the list, each on the balances that those before it leave
"""

from collections.abc import Mapping as AnyMapping
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import connection

from ledger import balances
from ledger.books import number_of
from ledger.chart.book_postings import address_of
from ledger.chart.mappings import Phase
from ledger.chart.template import Template
from ledger.drafts import Draft
from ledger.numscript import Execution, Given, Monetary, Sent

NOTHING: Final = Execution((), {}, {}, ())

Pair = tuple[str, str]
Held = dict[tuple[str, ...], int]

_STOOD: Final = """
SELECT k.key, a.address, p.asset, sum(p.amount_minor)
FROM ledger_key k
JOIN ledger_posting p ON p.transaction_id = k.transaction_id
JOIN ledger_account a ON a.id = p.debit_account_id
WHERE k.book_id = %s AND k.key = ANY (%s)
GROUP BY 1, 2, 3
"""

_READ: Final = """
SELECT b.address, b.asset, b.credits_posted - b.debits_posted - b.debits_pending, b.balance_rule <> 'none'
FROM unnest(%s::text[], %s::text[]) AS w (address, asset)
JOIN ledger_balance b ON b.book_id = %s AND b.address = w.address AND b.asset = w.asset
"""


def executed(environment: str, work: Sequence[tuple[Template, Draft]], *, now: datetime | None) -> list[Execution]:
    """Execute a list of which at least one depends on balances, and hold what it depends on until the transaction ends.

    Raises what `Template.given` and `Template.sends` raise.
    """
    givens = [template.given(draft) if template.phase is not Phase.RELEASE else {} for template, draft in work]
    touched = {pair: None for given in givens for pair in _touched(given)}
    for (template, draft), given in zip(work, givens, strict=True):
        if not template.balance_free:
            touched.update(dict.fromkeys(template.needed(draft, given)))
    locked = balances.lock(
        environment,
        [draft.key for _, draft in work],
        list(touched),
        effective_at=[draft.effective_at for _, draft in work if draft.effective_at is not None],
        now=now,
    )
    ruled = {address for (address, _), one in locked.items() if one.ruled}
    held: Held = {pair: one.balance for pair, one in locked.items()}
    stood = _stood(environment, [draft.key for template, draft in work if not template.balance_free])
    done = []
    for (template, draft), given in zip(work, givens, strict=True):
        if template.phase is Phase.RELEASE:
            done.append(NOTHING)
            continue
        if template.balance_free:
            execution = template.sends(draft, given)
        else:
            execution = template.sends(
                draft, given, balances=stood.get(draft.key, held), unbounded=lambda address: address not in ruled
            )
        if draft.key not in stood:
            stood[draft.key] = _taken(execution.postings)
            _apply(template.phase, execution.postings, held)
        done.append(execution)
    return done


def previewed(environment: str, template: Template, draft: Draft) -> Execution:
    """Execute for looking at, on balances as they are, without locks."""
    given = template.given(draft)
    if template.program.balance_free:
        return template.sends(draft, given)
    wanted = template.needed(draft, given)
    with connection.cursor() as cursor:
        cursor.execute(_READ, [[a for a, _ in wanted], [s for _, s in wanted], number_of(environment)])
        rows = cursor.fetchall()
    ruled = {address for address, _, _, is_ruled in rows if is_ruled}
    held: Held = {(address, asset): int(balance) for address, asset, balance, _ in rows}
    return template.sends(draft, given, balances=held, unbounded=lambda address: address not in ruled)


def _touched(given: AnyMapping[str, Given]) -> list[Pair]:
    """Return every pair of an account and an asset among the parameters."""
    assets = {value.asset for value in given.values() if isinstance(value, Monetary) and value.amount}
    addresses = [value for value in given.values() if isinstance(value, str)]
    return [(address_of(address), asset) for address in addresses for asset in sorted(assets)]


def _stood(environment: str, keys: list[str]) -> dict[str, Held]:
    """Return what each key's transaction has taken, by account and asset."""
    with connection.cursor() as cursor:
        cursor.execute(_STOOD, [number_of(environment), keys])
        rows = cursor.fetchall()
    found: dict[str, Held] = {}
    for key, address, asset, amount in rows:
        found.setdefault(key, {})[address, asset] = int(amount)
    return found


def _taken(postings: Sequence[Sent]) -> Held:
    taken: Held = {}
    for sent in postings:
        pair = (sent.source, sent.asset)
        taken[pair] = taken.get(pair, 0) + sent.amount
    return taken


def _apply(phase: Phase, postings: Sequence[Sent], held: Held) -> None:
    """Carry balances on to the next draft of the list: pending debits count, pending credits do not."""
    for sent in postings:
        source, destination = (sent.source, sent.asset), (sent.destination, sent.asset)
        if phase is not Phase.SETTLE and source in held:
            held[source] -= sent.amount
        if phase is not Phase.RESERVE and destination in held:
            held[destination] += sent.amount
