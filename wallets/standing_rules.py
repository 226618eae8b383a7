"""The active rules of an operator's environment, kept per process, and known to be current by one small statement.

It asks which rows stand and which transaction wrote each last: whatever changes a rule, it is effective at once, in every
process (DESIGN.md section 7).
"""

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from ledger.controls import prepared
from wallets.rule_models import FeeRule, LimitRule

_STANDING: Final = """
SELECT 'zone', id, zone FROM wallets_operator WHERE id = %s
UNION ALL SELECT 'fee', id, xmin::text FROM wallets_feerule WHERE environment = %s AND state = 'active'
UNION ALL SELECT 'limit', id, xmin::text FROM wallets_limitrule WHERE environment = %s AND state = 'active'
"""
_MOST_OPERATORS: Final = 1000

_Seen = frozenset[tuple[str, int, str]]


@dataclass(frozen=True, slots=True)
class Standing:
    """Every active rule, of every operator, flow and channel; and the operator's zone."""

    seen: _Seen
    fees: tuple[FeeRule, ...]
    limits: tuple[LimitRule, ...]
    zone: ZoneInfo

    @property
    def counts_days(self) -> bool:
        """Tell whether any limit counts what was paid in a day."""
        return any(rule.period == LimitRule.Period.DAY for rule in self.limits)

    def day(self, now: datetime) -> date:
        """Return the date in the operator's zone."""
        return now.astimezone(self.zone).date()

    def fees_of(self, *, flow: str, asset: str) -> list[FeeRule]:
        return [rule for rule in self.fees if rule.flow == flow and rule.asset == asset]

    def limits_of(self, *, asset: str) -> list[LimitRule]:
        return [rule for rule in self.limits if rule.asset == asset]


_kept: dict[tuple[str, int], Standing] = {}


def standing(*, environment: str, operator_id: int) -> Standing:
    """Return the rules that are active for this statement's snapshot."""
    seen: _Seen = frozenset(prepared.rows(_STANDING, [operator_id, environment, environment]))
    kept = _kept.get((environment, operator_id))
    if kept is not None and kept.seen == seen:
        return kept
    if len(_kept) >= _MOST_OPERATORS:
        _kept.clear()
    found = _kept[environment, operator_id] = _read(seen)
    return found


def _read(seen: _Seen) -> Standing:
    """Read the rules that were seen. One that was retired in between is the same content still."""
    by_kind: dict[str, list[int]] = {"fee": [], "limit": []}
    zone = "UTC"
    for kind, key, text in seen:
        if kind == "zone":
            zone = text
        else:
            by_kind[kind].append(key)
    return Standing(
        seen=seen,
        fees=tuple(FeeRule.objects.filter(pk__in=by_kind["fee"])),
        limits=tuple(LimitRule.objects.filter(pk__in=by_kind["limit"])),
        zone=_zone(zone),
    )


@lru_cache(maxsize=200)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
