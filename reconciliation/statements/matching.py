"""Unmatched lines are matched with our book: when they come in, and again whenever the book has grown.

1 by ids, every line that has any: what an id names is nobody else's
2 by exact amount within the date window, what is left; lines of one amount are looked at together

A line of a locked date stays as it is. One matcher works on a book at a time; each batch is one transaction.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.db import connection
from django.db import transaction as db_transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from ledger.controls import clock, references
from ledger.controls.moves import Why
from reconciliation import transitions
from reconciliation.models import StatementLine, StatementMatch, StatementSource
from reconciliation.statements import candidates
from reconciliation.statements.dates import is_locked
from reconciliation.statements.line import IDS
from reconciliation.statements.pairing import Pair, Pairing, pair

ACTOR: Final = "statements"
_BATCH: Final = 500
_BATCH_BY_AMOUNT: Final = 2_000
_MOST_OF_ONE_AMOUNT: Final = 200_000
_MOST_BATCHES: Final = 1_000
_HAS_ANY_ID: Final = ~Q(**dict.fromkeys(IDS, ""))


@dataclass(frozen=True, slots=True)
class Tally:
    matched: int
    unmatched: int


_Amount = tuple[str, Decimal]


def unmatched() -> QuerySet[StatementLine]:
    """Return the lines that no standing match names."""
    standing = StatementMatch.objects.filter(line=OuterRef("pk"), state=StatementMatch.State.STANDING)
    return StatementLine.objects.filter(~Exists(standing))


def match_source(source: StatementSource) -> Tally:
    """Match what can be matched of a source's open lines. Outside any transaction; safe twice and at once."""
    matched = _match_by_ids(source)
    by_amount = _match_by_amount(source)
    return Tally(matched=matched + by_amount.matched, unmatched=by_amount.unmatched)


def match_environment(environment: str) -> Tally:
    """Match the open lines of every source of a book."""
    tallies = [match_source(one) for one in StatementSource.objects.filter(environment=environment).order_by("pk")]
    return Tally(sum(one.matched for one in tallies), sum(one.unmatched for one in tallies))


def looked_at(*, source: StatementSource, lines: Sequence[StatementLine], ids_only: bool = False) -> Pairing:
    """Say how lines would be matched now, by ids and amounts or by ids alone. Changes nothing."""
    found = candidates.found(source=source, lines=lines)
    of_source = StatementMatch.objects.filter(source=source)
    taken = of_source.filter(
        state=StatementMatch.State.STANDING, transaction_id__in=[one.transaction_id for one in found]
    ).values_list("transaction_id", flat=True)
    apart = of_source.filter(
        state=StatementMatch.State.UNDONE, line__in=[line.pk for line in lines if line.pk]
    ).values_list("line_id", "transaction_id")
    return pair(
        lines=lines,
        candidates=found,
        taken=set(taken),
        apart=set(apart),
        window=timedelta(days=source.date_window_days),
        ids_only=ids_only,
    )


def _match_by_ids(source: StatementSource) -> int:
    """Return how many lines were matched."""
    matched = 0
    after = 0
    for _ in range(_MOST_BATCHES):
        with db_transaction.atomic():
            one_at_a_time(source.environment)
            lines = list(unmatched().filter(_HAS_ANY_ID, source=source, pk__gt=after).order_by("pk")[:_BATCH])
            if not lines:
                break
            after = lines[-1].pk
            matched += _matched(_match_batch(source, lines, ids_only=True))
    return matched


def _match_by_amount(source: StatementSource) -> Tally:
    """Whose ids name something is said once more why it stands alone; nothing is guessed for it."""
    count: Counter[str] = Counter()
    after: _Amount | None = None
    for _ in range(_MOST_BATCHES):
        with db_transaction.atomic():
            one_at_a_time(source.environment)
            lines = _next_amounts(source, after)
            if not lines:
                break
            after = _amount(lines[-1])
            done = _match_batch(source, lines, ids_only=False)
            count["matched"] += _matched(done)
            count["unmatched"] += len(done.because)
    return Tally(matched=count["matched"], unmatched=count["unmatched"])


def _amount(line: StatementLine) -> _Amount:
    return line.asset, line.amount_minor


def _next_amounts(source: StatementSource, after: _Amount | None) -> list[StatementLine]:
    """Return the open lines of the next amounts, each amount's whole: one line alone would not know of its double."""
    left = unmatched().filter(source=source).order_by("asset", "amount_minor", "pk")
    if after is not None:
        asset, amount_minor = after
        left = left.filter(Q(asset=asset, amount_minor__gt=amount_minor) | Q(asset__gt=asset))
    lines = list(left[: _BATCH_BY_AMOUNT + 1])
    if len(lines) <= _BATCH_BY_AMOUNT:
        return lines
    asset, amount_minor = _amount(lines[-1])
    whole = [line for line in lines if _amount(line) != (asset, amount_minor)]
    return whole or list(left.filter(asset=asset, amount_minor=amount_minor)[:_MOST_OF_ONE_AMOUNT])


def _matched(done: Pairing) -> int:
    return len({found.line.pk for found in done.pairs})


def _match_batch(source: StatementSource, lines: Sequence[StatementLine], *, ids_only: bool) -> Pairing:
    done = looked_at(source=source, lines=_of_open_dates(source, lines), ids_only=ids_only)
    now = clock.now()
    for found in done.pairs:
        why = Why(ACTOR, f"matched by {found.rule.label}", evidence=evidence_of(found))
        transitions.match_line(new_match(found, by=ACTOR), why=why, now=now)
    changed = []
    for line, because in done.because:
        if line.unmatched_because != because[:300]:
            line.unmatched_because = because[:300]
            changed.append(line)
    StatementLine.objects.bulk_update(changed, ["unmatched_because"])
    return done


def new_match(found: Pair, *, by: str, reason: str = "") -> StatementMatch:
    """Return the row of a match, not yet saved."""
    return StatementMatch(
        reference=references.new(references.Prefix.STATEMENT_MATCH),
        environment=found.line.environment,
        operator_id=found.line.operator_id,
        line=found.line,
        source_id=found.line.source_id,
        transaction_id=found.candidate.transaction_id,
        transaction_key=found.candidate.key,
        rule=found.rule,
        in_batch=found.in_batch,
        matched_by=by,
        reason=reason,
    )


def evidence_of(found: Pair) -> dict[str, str]:
    return {
        "line": found.line.reference,
        "line_id": found.line.line_id,
        "transaction_id": str(found.candidate.transaction_id),
        "ledger_key": found.candidate.key,
        "rule": found.rule.value,
    }


def _of_open_dates(source: StatementSource, lines: Sequence[StatementLine]) -> list[StatementLine]:
    dates = sorted({line.business_date for line in lines})
    locked = {day for day in dates if is_locked(source.environment, day)}
    return [line for line in lines if line.business_date not in locked]


def one_at_a_time(environment: str) -> None:
    """Whoever matches, machine or person, waits for the other before it looks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 743002))", [environment])
