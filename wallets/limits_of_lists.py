"""Limits of many payments in one transaction: decided in their order, taken in a few statements (`wallets.limits`, for a list).

1 of the active rules take, of each limit's name, the first in order
2 a single payment whose counters are there and have room takes from all of them in one conditional update; else
  make the day's counters that are missing, and lock all of them in the order of their ids
3 go through the payments in their order: one that is above a cap, or for which there are no funds, takes nothing, and the
  next one is looked at as if it was not
4 take the sums by a conditional update: the counters are locked, so that it decides the same
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final

from django.db import connection

from ledger.controls import prepared
from ledger.controls.refusals import Refusal
from ledger.money import Money
from wallets.limits import NeverTaken, Usage, applicable, exceeded
from wallets.rule_models import LimitRule
from wallets.standing_rules import Standing

_FIND: Final = """
SELECT u.id, u.used_minor, w.n
FROM unnest(%(names)s::text[], %(flows)s::text[], %(channels)s::text[], %(assets)s::text[], %(wallets)s::text[])
     WITH ORDINALITY AS w (name, flow, channel, asset, wallet, n)
JOIN wallets_limitusage AS u
  ON (u.name, u.flow, u.channel, u.asset, u.wallet) = (w.name, w.flow, w.channel, w.asset, w.wallet)
WHERE u.environment = %(environment)s AND u.operator_id = %(operator)s AND u.day = %(day)s
ORDER BY u.id FOR UPDATE OF u
"""
_MAKE: Final = """
INSERT INTO wallets_limitusage (environment, operator_id, name, flow, channel, asset, wallet, day, used_minor)
SELECT %(environment)s, %(operator)s, w.name, w.flow, w.channel, w.asset, w.wallet, %(day)s, 0
FROM unnest(%(names)s::text[], %(flows)s::text[], %(channels)s::text[], %(assets)s::text[], %(wallets)s::text[])
     AS w (name, flow, channel, asset, wallet)
WHERE NOT EXISTS (
    SELECT FROM wallets_limitusage AS u
    WHERE (u.name, u.flow, u.channel, u.asset, u.wallet) = (w.name, w.flow, w.channel, w.asset, w.wallet)
      AND u.environment = %(environment)s AND u.operator_id = %(operator)s AND u.day = %(day)s)
ORDER BY w.asset, w.name, w.flow, w.channel, w.wallet
ON CONFLICT DO NOTHING
"""
_TAKE: Final = """
UPDATE wallets_limitusage AS u SET used_minor = u.used_minor + t.taken
FROM unnest(%s::bigint[], %s::numeric[], %s::numeric[]) AS t (id, taken, cap)
WHERE u.id = t.id AND u.used_minor + t.taken <= t.cap
"""

_TAKE_FROM_ONE: Final = """
UPDATE wallets_limitusage SET used_minor = used_minor + %s
WHERE environment = %s AND operator_id = %s AND day = %s AND name = %s AND flow = %s AND channel = %s AND asset = %s
  AND wallet = %s AND used_minor + %s <= %s
RETURNING id, 1
"""
_TAKE_AT_ONCE: Final = """
WITH there AS (
    SELECT u.id, w.cap, w.n
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[])
         WITH ORDINALITY AS w (name, flow, channel, asset, wallet, cap, n)
    JOIN wallets_limitusage AS u
      ON (u.name, u.flow, u.channel, u.asset, u.wallet) = (w.name, w.flow, w.channel, w.asset, w.wallet)
    WHERE u.environment = %s AND u.operator_id = %s AND u.day = %s
), locked AS (  -- none while one is missing: who makes one may not hold another
    SELECT u.id, u.used_minor, there.cap, there.n
    FROM there JOIN wallets_limitusage AS u ON u.id = there.id
    WHERE (SELECT count(*) FROM there) = %s
    ORDER BY u.id FOR UPDATE OF u
), room AS (
    SELECT bool_and(used_minor + %s <= cap) AS enough FROM locked
)
UPDATE wallets_limitusage AS u SET used_minor = u.used_minor + %s
FROM locked, room WHERE u.id = locked.id AND room.enough RETURNING u.id, locked.n
"""

_Key = tuple[str, str, str, str, str]
"""Name, flow, channel, asset and wallet of a counter."""


@dataclass(frozen=True, slots=True)
class Taking:
    """One payment: the wallet that pays, and what it takes from every limit that is about it."""

    wallet: str
    amount: Money


@dataclass(slots=True)
class _Counter:
    cap: int
    counter: int = 0
    used: int = 0
    taken: int = field(default=0)


def take_each(
    *,
    environment: str,
    operator_id: int,
    flow: str,
    channel: str,
    takings: Sequence[Taking],
    standing: Standing,
    now: datetime,
    spend: Callable[[int], Refusal | None] | None = None,
) -> list[tuple[Usage, ...] | Refusal]:
    """Take from the limits, payment by payment, and return for each what it took, or why it took nothing.

    `spend` is asked, by its place, of each payment that is within the limits, and may still refuse it. In the caller's
    transaction, after wallets and before the ledger.
    """
    rules = {
        asset: applicable(
            standing.limits_of(asset=asset),
            operator_id=operator_id,
            flow=flow,
            channel=channel,
            asset=asset,
            now=now,
        )
        for asset in sorted({taking.amount.asset for taking in takings})
    }
    keys: dict[_Key, _Counter] = {}
    for taking in takings:
        for rule in rules[taking.amount.asset]:
            if rule.period == LimitRule.Period.DAY:
                keys.setdefault(_key(rule, taking), _Counter(int(rule.cap_minor)))
    day = standing.day(now)
    if (
        len(takings) == 1
        and keys
        and spend is None
        and all(takings[0].amount.minor <= rule.cap_minor for rule in rules[takings[0].amount.asset])
        and _taken_at_once(keys, takings[0].amount, environment=environment, operator_id=operator_id, day=day)
    ):
        return [_decide(takings[0], rules[takings[0].amount.asset], keys, day, None)]
    if keys:
        _lock(keys, environment=environment, operator_id=operator_id, day=day)
    results = [
        _decide(taking, rules[taking.amount.asset], keys, day, partial(spend, place) if spend else None)
        for place, taking in enumerate(takings)
    ]
    _take(keys)
    return results


def _key(rule: LimitRule, taking: Taking) -> _Key:
    whose = taking.wallet if rule.scope == LimitRule.Scope.WALLET else ""
    return rule.name, rule.flow, rule.channel, taking.amount.asset, whose


def _lock(keys: dict[_Key, _Counter], *, environment: str, operator_id: int, day: date) -> None:
    """Lock every counter, made where it is missing, and note what is used of it: two statements in one message.

    Who makes one waits for who makes the same, before either has locked any.
    """
    wanted: dict[str, Any] = {
        "environment": environment,
        "operator": operator_id,
        "day": day,
        "names": [key[0] for key in keys],
        "flows": [key[1] for key in keys],
        "channels": [key[2] for key in keys],
        "assets": [key[3] for key in keys],
        "wallets": [key[4] for key in keys],
    }
    with connection.cursor() as cursor:
        cursor.execute(f"{_MAKE};{_FIND}", wanted)
        cursor.nextset()
        rows = cursor.fetchall()
    assert len(rows) == len(keys), "a counter is missing"
    counters = list(keys.values())
    for counter, used, place in rows:
        counters[place - 1].counter, counters[place - 1].used = counter, int(used)


def _taken_at_once(keys: dict[_Key, _Counter], amount: Money, *, environment: str, operator_id: int, day: date) -> bool:
    """Take one payment from every counter if each is there and has room; else take nothing, and say so."""
    counters = list(keys.values())
    minor, caps = Decimal(amount.minor), [Decimal(counter.cap) for counter in counters]
    if len(keys) == 1:
        ((key, _),) = keys.items()
        rows = prepared.rows(_TAKE_FROM_ONE, [minor, environment, operator_id, day, *key, minor, *caps])
    else:
        columns = [[key[place] for key in keys] for place in range(5)]
        rows = prepared.rows(_TAKE_AT_ONCE, [*columns, caps, environment, operator_id, day, len(keys), minor, minor])
    for counter, place in rows:
        counters[place - 1].counter = counter
    return len(rows) == len(keys)


def _decide(
    taking: Taking,
    rules: Sequence[LimitRule],
    keys: dict[_Key, _Counter],
    day: date,
    spend: Callable[[], Refusal | None] | None,
) -> tuple[Usage, ...] | Refusal:
    """Take one payment from all of its counters, or from none."""
    minor = taking.amount.minor
    for rule in rules:
        if minor > rule.cap_minor:
            return exceeded(rule, left=int(rule.cap_minor))
    daily = [(keys[_key(rule, taking)], rule) for rule in rules if rule.period == LimitRule.Period.DAY]
    for counter, rule in sorted(daily, key=lambda one: one[0].counter):
        left = max(counter.cap - counter.used - counter.taken, 0)
        if minor > left:
            return exceeded(rule, left=left)
    if spend is not None and (refusal := spend()) is not None:
        return refusal
    usages = []
    for rule in rules:
        kept = (rule.name, rule.code, rule.number, rule.scope, rule.period, taking.amount)
        if rule.period == LimitRule.Period.DAY:
            counter = keys[_key(rule, taking)]
            counter.taken += minor
            usages.append(Usage(*kept, counter.counter, day))
        else:
            usages.append(Usage(*kept))
    return tuple(usages)


def _take(keys: dict[_Key, _Counter]) -> None:
    takes = [counter for counter in keys.values() if counter.taken]
    if not takes:
        return
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [[c.counter for c in takes], [c.taken for c in takes], [c.cap for c in takes]])
        if cursor.rowcount != len(takes):
            raise NeverTaken("a locked counter had not what it showed")
