"""Limits of one payment: per transaction and per day in the operator's zone, of the wallet that pays and of the operator.

1 of the active rules take, of each limit's name, the first in order (priority, an operator's own, a channel's own)
2 refuse what is above a cap per transaction
3 make the day's counters that are missing
4 in the order of their ids, take from each what is asked: a conditional update, which decides under its row's lock
5 what was taken is told with its day, so that it can be given back to that day's rows and to no other's
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db import connection

from ledger import assets
from ledger.controls.refusals import Refusal
from ledger.money import Money
from wallets.models import Operator
from wallets.pricing import in_order
from wallets.rule_models import LimitRule
from wallets.wallet_models import Wallet

_MAKE: Final = """
INSERT INTO wallets_limitusage (environment, operator_id, name, flow, channel, asset, wallet, day, used_minor)
SELECT %(environment)s, %(operator)s, w.name, w.flow, w.channel, %(asset)s, w.wallet, %(day)s, 0
FROM unnest(%(names)s::text[], %(flows)s::text[], %(channels)s::text[], %(wallets)s::text[])
     AS w (name, flow, channel, wallet)
ORDER BY w.name, w.flow, w.channel, w.wallet
ON CONFLICT DO NOTHING
"""
_FIND: Final = """
SELECT u.id, u.name, u.flow, u.channel, u.wallet
FROM wallets_limitusage u
JOIN unnest(%(names)s::text[], %(flows)s::text[], %(channels)s::text[], %(wallets)s::text[])
     AS w (name, flow, channel, wallet)
  ON (u.name, u.flow, u.channel, u.wallet) = (w.name, w.flow, w.channel, w.wallet)
WHERE u.environment = %(environment)s AND u.operator_id = %(operator)s AND u.asset = %(asset)s AND u.day = %(day)s
"""
_TAKE: Final = """
UPDATE wallets_limitusage SET used_minor = used_minor + %s
WHERE id = %s AND used_minor + %s <= %s
"""
_GIVE_BACK: Final = "UPDATE wallets_limitusage SET used_minor = used_minor - %s WHERE id = %s AND used_minor >= %s"
_USED: Final = "SELECT used_minor FROM wallets_limitusage WHERE id = %s"


class LimitExceeded(Refusal):
    """The payment is above a limit."""

    code = "limit_exceeded"


class NeverTaken(RuntimeError):
    """What is given back to a limit was not taken from it: a defect."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a payment took from one limit, and the version that allowed it. `counter` is None for one transaction's."""

    name: str
    rule: str
    version: int
    scope: str
    period: str
    taken: Money
    counter: int | None = None
    day: date | None = None

    def as_json(self) -> dict[str, str | int | None]:
        """Return it as rows keep it; the amount is an integer of minor units as a string."""
        return {
            "name": self.name,
            "rule": self.rule,
            "version": self.version,
            "scope": self.scope,
            "period": self.period,
            "asset": self.taken.asset,
            "amount_minor": str(self.taken.minor),
            "counter": self.counter,
            "day": self.day.isoformat() if self.day else None,
        }


def take(
    *, environment: str, operator_id: int, wallet: Wallet, flow: str, channel: str, amount: Money, now: datetime
) -> tuple[Usage, ...]:
    """Take an amount from every limit that is about it, in the caller's transaction. Raises LimitExceeded, which says which.

    The caller rolls back then. Locks counters in the order of their ids, after wallets and before the ledger.
    """
    chosen = applicable(
        standing(environment=environment, asset=amount.asset),
        operator_id=operator_id,
        flow=flow,
        channel=channel,
        asset=amount.asset,
        now=now,
    )
    for rule in chosen:
        if amount.minor > rule.cap_minor:
            raise exceeded(rule, left=int(rule.cap_minor))
    daily = [rule for rule in chosen if rule.period == LimitRule.Period.DAY]
    day = day_of(operator_id, now) if daily else None
    counters = _counters(daily, environment=environment, operator_id=operator_id, wallet=wallet, day=day)
    with connection.cursor() as cursor:
        for counter, rule in sorted(counters, key=lambda one: one[0]):
            cursor.execute(_TAKE, [amount.minor, counter, amount.minor, int(rule.cap_minor)])
            if cursor.rowcount != 1:
                cursor.execute(_USED, [counter])
                (used,) = cursor.fetchone() or (0,)
                raise exceeded(rule, left=max(int(rule.cap_minor) - int(used), 0))
    of_rule = {rule.pk: counter for counter, rule in counters}
    return tuple(
        Usage(rule.name, rule.code, rule.number, rule.scope, rule.period, amount, of_rule[rule.pk], day)
        if rule.pk in of_rule
        else Usage(rule.name, rule.code, rule.number, rule.scope, rule.period, amount)
        for rule in chosen
    )


def give_back(usages: Iterable[Mapping[str, Any]]) -> None:
    """Give back what `Usage.as_json` says was taken, to the counters of the day that it was taken on.

    Once: the caller's move decides that. Raises NeverTaken when a counter holds less than that.
    """
    taken = sorted((int(one["counter"]), int(one["amount_minor"])) for one in usages if one["counter"] is not None)
    with connection.cursor() as cursor:
        for counter, minor in taken:
            cursor.execute(_GIVE_BACK, [minor, counter, minor])
            if cursor.rowcount != 1:
                raise NeverTaken(f"counter {counter} holds less than {minor}")


def standing(*, environment: str, asset: str) -> list[LimitRule]:
    """Return the active limit rules of an asset, of every operator, flow and channel."""
    return list(LimitRule.objects.filter(environment=environment, asset=asset, state=LimitRule.State.ACTIVE))


def applicable(
    rules: Iterable[LimitRule], *, operator_id: int, flow: str, channel: str, asset: str, now: datetime
) -> Sequence[LimitRule]:
    """Return the rule that applies of each limit's name, in the order of the names."""
    chosen: dict[str, LimitRule] = {}
    for rule in in_order(rules, operator_id=operator_id, flow=flow, channel=channel, asset=asset, now=now):
        chosen.setdefault(rule.name, rule)
    return [rule for _, rule in sorted(chosen.items())]


def exceeded(rule: LimitRule, *, left: int) -> LimitExceeded:
    """Return the refusal, which says which limit it is and what is left of it."""
    cap = assets.text(int(rule.cap_minor), rule.asset)
    whose = "of the wallet" if rule.scope == LimitRule.Scope.WALLET else "of the operator"
    span = "in one payment" if rule.period == LimitRule.Period.TRANSACTION else "in a day"
    return LimitExceeded(
        f"The limit {rule.name} is {cap} {rule.asset} {whose} {span}.",
        limit=rule.name,
        scope=rule.scope,
        period=rule.period,
        cap=cap,
        left=assets.text(left, rule.asset),
        asset=rule.asset,
    )


def day_of(operator_id: int, now: datetime) -> date:
    """Return the date in the operator's zone."""
    zone = Operator.objects.values_list("zone", flat=True).get(pk=operator_id)
    return now.astimezone(_zone(zone)).date()


def _counters(
    rules: Sequence[LimitRule], *, environment: str, operator_id: int, wallet: Wallet, day: date | None
) -> list[tuple[int, LimitRule]]:
    """Return each daily rule's counter, made where it is missing. Two that make one at once wait for each other here."""
    if not rules:
        return []
    keys = {
        (rule.name, rule.flow, rule.channel, wallet.reference if rule.scope == LimitRule.Scope.WALLET else ""): rule
        for rule in rules
    }
    wanted: dict[str, Any] = {
        "environment": environment,
        "operator": operator_id,
        "asset": rules[0].asset,
        "day": day,
        "names": [key[0] for key in keys],
        "flows": [key[1] for key in keys],
        "channels": [key[2] for key in keys],
        "wallets": [key[3] for key in keys],
    }
    with connection.cursor() as cursor:
        cursor.execute(_FIND, wanted)
        rows = cursor.fetchall()
        if len(rows) < len(keys):
            cursor.execute(_MAKE, wanted)
            cursor.execute(_FIND, wanted)
            rows = cursor.fetchall()
    return [(row[0], keys[row[1], row[2], row[3], row[4]]) for row in rows]


@lru_cache(maxsize=200)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
