"""All checks over one window: which records break, and which type each one breaks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.backends.utils import CursorWrapper

from reconciliation import day_movements
from reconciliation.check import Check, Finding
from reconciliation.progress import Progress
from reconciliation.windows import Parameters, Window

MAXIMUM_PER_CHECK = 10_000
"""How many breaks of one type a run keeps. Beyond it something is wrong that no case by case work will mend."""

_MORE = "SELECT '', '', NULL::bigint, '', 0::numeric, '{{}}'::jsonb WHERE EXISTS (SELECT FROM {step} OFFSET {most})"
"""One more row, of no record, when a step has more than is looked at."""

_COLUMNS = "subject, order_reference, operator_id, asset, amount_minor::text, detail"


@dataclass(frozen=True, slots=True)
class Found:
    """The breaks of a run. `cut_off` names the checks that found more than is kept, or suspected more than is looked at: there
    may be breaks that no case names, and their cases are not healed.
    """

    findings: Sequence[Finding]
    per_check: Mapping[str, int]
    cut_off: frozenset[str] = field(default_factory=frozenset)


def search(
    *, cursor: CursorWrapper, window: Window, as_of: datetime, checks: Sequence[Check], progress: Progress
) -> Found:
    """Run the checks in order. A record breaks one check only: the first that names it."""
    findings: dict[str, Finding] = {}
    belonging: dict[str, set[str]] = {}
    per_check: dict[str, int] = {}
    cut_off: set[str] = set()
    parameters: Parameters = {**window.parameters(), **day_movements.kept_before(window), "as_of": as_of}
    for check in checks:
        progress.begin(check.title)
        told = _ask(cursor, parameters, check)
        rows = [one for one in told if one.subject][:MAXIMUM_PER_CHECK]
        if len(rows) < len(told):
            cut_off.add(check.name)
        caused = set().union(*(belonging[name] for name in check.follows if name in belonging))
        fresh = [one for one in rows if one.subject not in findings and one.order_reference not in caused]
        findings.update((finding.subject, finding) for finding in fresh)
        belonging[check.name] = {finding.order_reference for finding in fresh} - {""}
        per_check[check.name] = len(fresh)
    return Found(findings=list(findings.values()), per_check=per_check, cut_off=frozenset(cut_off))


def _ask(cursor: CursorWrapper, parameters: Parameters, check: Check) -> list[Finding]:
    asked = " UNION ALL ".join([check.query, *(_MORE.format(step=step, most=most) for step, most in check.suspects)])
    question = f"SELECT {_COLUMNS} FROM ({asked}) AS found ORDER BY subject LIMIT %(limit)s"  # noqa: S608  our own text
    cursor.execute(question, {**parameters, "limit": MAXIMUM_PER_CHECK + 1 + len(check.suspects)})
    return [
        Finding(
            type=check.name,
            subject=subject,
            order_reference=order_reference or "",
            operator_id=operator_id,
            asset=asset,
            amount_minor=int(amount_minor),
            detail=json.loads(detail),  # Django's cursors give jsonb as text
        )
        for subject, order_reference, operator_id, asset, amount_minor, detail in cursor.fetchall()
    ]
