"""Transfer between wallets at once: one request, one transaction, one ledger call (OneWallet, Pattern A).

1 intent created: the claim of the request is the anchor; a partner reference is new
2 validated: both wallets locked and fit, fees calculated, limits taken
3 funds frozen: linked pending lines through transit, payer → transit → payee, fees and VAT out of transit
4 funds posted in the same ledger call: transit is zero again
5 history with balances after, audit rows and events
6 settled: nothing to monitor

A list walks the same path in the same few statements. Of a list each stands alone: one that is refused leaves nothing but,
where the ledger refused it, its burnt ledger key; what it took from limits is given back. Lock order: partner references,
wallets, counters, accounts, each sorted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from ledger import assets, balances, journal
from ledger.controls import references, request_context
from ledger.controls.refusals import Refusal
from ledger.controls.rest.caller import Caller
from ledger.journal import PostingRefused, Result
from ledger.money import Money
from orders.intent_moves import reference_number
from orders.models import Intent
from orders.transfers import entries, parties, terms, walk
from orders.transfers.parties import Party
from orders.transfers.requests import Asked
from wallets import limits, limits_of_lists, pricing, rule_failures, standing_rules
from wallets.limits_of_lists import Taking
from wallets.standing_rules import Standing

_SERIALISE: Final = """
SELECT pg_advisory_xact_lock(k.key)
FROM (SELECT DISTINCT hashtextextended(r, 743000) AS key FROM unnest(%s::text[]) AS r ORDER BY key) AS k
"""


class InsufficientFunds(Refusal):
    """The payer's wallet has less than the whole debit; what is held for other payments does not count."""

    code = "insufficient_funds"


class DuplicatePartnerReference(Refusal):
    """There is an intent with this partner reference already."""

    code = "duplicate_partner_reference"
    status = 409


class ListRefused(Refusal):
    """One of the list was refused, so nothing of it was carried out."""

    code = "list_refused"


@dataclass(frozen=True, slots=True)
class _Plan:
    """One that may be tried: its wallets are locked and its fees are known."""

    place: int
    intent: Intent
    payer: Party
    payee: Party


@dataclass(frozen=True, slots=True)
class _Found:
    """Partner references that are taken, by intent, and the wallets that are locked."""

    taken: dict[str, str]
    parties: dict[str, Party]


def transfer_now(*, caller: Caller, asked: Asked, now: datetime) -> Intent:
    """Carry one transfer out in the caller's transaction and return it, settled.

    Raises NotFound, SameWallet, WalletFrozen, WalletClosed, AssetNotHeld, FeesExceedAmount, ConditionFailed, LimitExceeded,
    InsufficientFunds or DuplicatePartnerReference; the caller rolls back.
    """
    (done,) = _carry_out(caller, [asked], bulk=False, now=now)
    if isinstance(done, Refusal):
        raise done
    return done


def transfer_list(*, caller: Caller, asked: Sequence[Asked], atomic: bool, now: datetime) -> list[Intent | Refusal]:
    """Carry a list out and return for each what became of it, in order. `atomic`: all or none, and raises ListRefused."""
    done = _carry_out(caller, asked, bulk=True, now=now)
    if atomic:
        for place, one in enumerate(done):
            if isinstance(one, Refusal):
                message = f"Nothing was carried out: transfers.{place}: {one.message}"
                raise ListRefused(message, index=place, reason=one.code, errors={f"transfers.{place}": [one.message]})
    return done


def taken_partner_references(caller: Caller, wanted: Sequence[str]) -> dict[str, str]:
    """Serialise on partner references, then look (in a second statement): return those that are taken, with their intents.

    An intent that was refused before anything of it was held leaves its reference free.
    """
    given = [one for one in wanted if one]
    if not given:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_SERIALISE, [[f"{caller.environment}:{caller.operator_id}:{one}" for one in given]])
    found = Intent.objects.filter(
        operator_id=caller.operator_id, environment=caller.environment, partner_reference__in=given
    ).exclude(state=Intent.State.FAILED, authorized_at__isnull=True)
    return dict(found.values_list("partner_reference", "reference"))


def _carry_out(caller: Caller, asked: Sequence[Asked], *, bulk: bool, now: datetime) -> list[Intent | Refusal]:
    done: list[Intent | Refusal | None] = [None] * len(asked)
    found = _locked(caller, asked)
    rules = standing_rules.standing(environment=caller.environment, operator_id=caller.operator_id)
    with rule_failures.gathered():
        plans = _planned(caller, asked, done, found=found, rules=rules, bulk=bulk, now=now)
    plans = _within_limits(caller, plans, done, rules=rules, now=now)
    settled = _posted(caller, plans, done, now=now)
    if settled:
        intents = [plan.intent for plan, _ in settled]
        lines = [line for plan, result in settled for line in entries.settled(plan.intent, result.transaction_id)]
        walk.write_settled(intents, lines=lines, actor=caller.actor, now=now)
    return [one for one in done if one is not None]


def _locked(caller: Caller, asked: Sequence[Asked]) -> _Found:
    """Serialise on the partner references and lock the wallets."""
    taken = taken_partner_references(caller, [one.partner_reference for one in asked])
    locked = parties.lock_parties(
        environment=caller.environment,
        operator_id=caller.operator_id,
        references={reference for one in asked for reference in (one.payer, one.payee)},
    )
    return _Found(taken, locked)


def _planned(
    caller: Caller,
    asked: Sequence[Asked],
    done: list[Intent | Refusal | None],
    *,
    found: _Found,
    rules: Standing,
    bulk: bool,
    now: datetime,
) -> list[_Plan]:
    """Look and price; note in `done` why one cannot be tried."""
    fees = {
        asset: pricing.in_order(
            rules.fees_of(flow=terms.FLOW, asset=asset),
            operator_id=caller.operator_id,
            flow=terms.FLOW,
            channel=terms.CHANNEL,
            asset=asset,
            now=now,
        )
        for asset in {one.amount.asset for one in asked}
    }
    plans = []
    for place, one in enumerate(asked):
        refusal = parties.refusal_of(one, found.parties)
        if one.partner_reference in found.taken:
            refusal = DuplicatePartnerReference(intent_id=found.taken[one.partner_reference])
        if refusal is not None:
            done[place] = refusal
            continue
        payer, payee = found.parties[one.payer], found.parties[one.payee]
        try:
            priced = pricing.price_in_order(
                fees[one.amount.asset],
                flow=terms.FLOW,
                channel=terms.CHANNEL,
                amount=one.amount,
                facts=terms.facts(payer, payee, bulk=bulk),
            )
        except Refusal as failed:
            done[place] = failed
            continue
        intent = _intent(caller, one, {**terms.priced_values(priced), "terms": terms.places(payer, payee)}, now=now)
        plans.append(_Plan(place, intent, payer, payee))
    return plans


def _intent(caller: Caller, asked: Asked, values: Mapping[str, Any], *, now: datetime) -> Intent:
    """Return the intent as it is at its end."""
    reference = references.new(references.Prefix.INTENT)
    return Intent(
        reference=reference,
        environment=caller.environment,
        operator_id=caller.operator_id,
        version=walk.LAST_VERSION,
        created_at=now,
        updated_at=now,
        state=Intent.State.SETTLED,
        kind=Intent.Kind.TRANSFER,
        channel=terms.CHANNEL,
        payer=asked.payer,
        payee=asked.payee,
        asset=asked.amount.asset,
        amount_minor=Decimal(asked.amount.minor),
        partner_reference=asked.partner_reference,
        note=asked.note,
        reference_number=reference_number(reference),
        request_id=request_context.request_id(),
        validated_at=now,
        authorized_at=now,
        ended_at=now,
        **values,
    )


def _within_limits(
    caller: Caller, plans: Sequence[_Plan], done: list[Intent | Refusal | None], *, rules: Standing, now: datetime
) -> list[_Plan]:
    takings = [Taking(plan.intent.payer, Money(int(plan.intent.amount_minor), plan.intent.asset)) for plan in plans]
    results = limits_of_lists.take_each(
        environment=caller.environment,
        operator_id=caller.operator_id,
        flow=terms.FLOW,
        channel=terms.CHANNEL,
        takings=takings,
        standing=rules,
        now=now,
        spend=_Funds(caller.environment, plans).spend if rules.counts_days and len(plans) > 1 else None,
    )
    within = []
    for plan, result in zip(plans, results, strict=True):
        if isinstance(result, Refusal):
            done[plan.place] = result
        else:
            plan.intent.usages = [usage.as_json() for usage in result]
            within.append(plan)
    return within


def _posted(
    caller: Caller, plans: Sequence[_Plan], done: list[Intent | Refusal | None], *, now: datetime
) -> list[tuple[_Plan, Result]]:
    """Hold and post in one ledger call; return those that stand, with the result of their settlement."""
    drafts = [
        draft for plan in plans for draft in (terms.hold(plan.intent, linked=True), terms.settlement(plan.intent))
    ]
    results = journal.post(environment=caller.environment, drafts=drafts, now=now)
    stand, refused = [], []
    for number, plan in enumerate(plans):
        held, settled = results[2 * number : 2 * number + 2]
        if held.stands and settled.stands:
            done[plan.place] = plan.intent
            stand.append((plan, settled))
        else:
            refused.append(plan)
            done[plan.place] = _refusal(plan, held.code if held.code != "linked_event_failed" else settled.code)
    if refused:
        limits.give_back([usage for plan in refused for usage in plan.intent.usages])
    return stand


class _Funds:
    """What the payers of a list may spend, followed through the list: one for whom it is not enough takes nothing from limits.

    The ledger decides all the same: funds that went away by another door, which locks no wallet, are missed there.
    """

    def __init__(self, environment: str, plans: Sequence[_Plan]) -> None:
        self._plans = plans
        places = {(plan.payer.address, plan.intent.asset) for plan in plans}
        found = balances.read(environment=environment, accounts=sorted(places))
        self._available = {place: balance.available for place, balance in found.items()}

    def spend(self, number: int) -> InsufficientFunds | None:
        """Move the funds of one of the list, or return why it cannot be."""
        plan = self._plans[number]
        debit, credit = plan.intent.debit_minor, plan.intent.credit_minor
        assert debit is not None, "not priced"
        assert credit is not None, "not priced"
        payer, payee = (plan.payer.address, plan.intent.asset), (plan.payee.address, plan.intent.asset)
        available = self._available.get(payer, 0)
        if debit > available:
            return _insufficient(plan.intent, available)
        self._available[payer] = available - int(debit)
        if payee in self._available:
            self._available[payee] += int(credit)
        return None


def _refusal(plan: _Plan, code: str) -> Refusal:
    if code != "exceeds_credits":
        return PostingRefused(f"The transfer was refused by the ledger: {code}.", ledger_code=code)
    return insufficient_funds(plan.intent)


def insufficient_funds(intent: Intent, *, account: str = "payer") -> InsufficientFunds:
    """Return the refusal, which says what the debit is and what the wallet (`account` of the terms) may spend."""
    place = (intent.terms["accounts"][account], intent.asset)
    found = balances.read(environment=intent.environment, accounts=[place])
    return _insufficient(intent, found[place].available if place in found else 0)


def _insufficient(intent: Intent, available: int) -> InsufficientFunds:
    assert intent.debit_minor is not None, "not priced"
    return InsufficientFunds(
        debit=assets.text(int(intent.debit_minor), intent.asset),
        available=assets.text(available, intent.asset),
        asset=intent.asset,
    )
