"""Which line belongs to which transaction: ids first, exact amounts next, never an amount against an id.

A line is *named* with a transaction when one of its ids is one that the transaction goes by, and *contradicts* it when
one of its ids is of a kind of which the transaction has others. Then:

1 named, not contradicted, same asset and exact amount: matched by the first id that names it
2 one id names several that nobody has yet, none contradicted, all of its asset, and together they are its exact amount: a
  batch, matched with each of them. Which belong together the id says, never a sum that happens to fit
3 named, but of another amount, or contradicted by another id: not matched by anything else either
4 no id of the line is known to us: matched by exact amount within the date window, when that leaves one transaction
  for the line and one line for the transaction, and no id contradicts
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from reconciliation.models import StatementLine, StatementMatch
from reconciliation.statements.candidates import Candidate
from reconciliation.statements.line import IDS


@dataclass(frozen=True, slots=True)
class Pair:
    line: StatementLine
    candidate: Candidate
    rule: StatementMatch.Rule
    in_batch: bool = False


@dataclass(frozen=True, slots=True)
class Pairing:
    """`because` says of each line that stays alone why."""

    pairs: Sequence[Pair]
    because: Sequence[tuple[StatementLine, str]]


def pair(
    *,
    lines: Sequence[StatementLine],
    candidates: Sequence[Candidate],
    taken: Collection[UUID],
    apart: Collection[tuple[int, UUID]],
    window: timedelta,
    ids_only: bool = False,
) -> Pairing:
    """Pair lines with candidates, each candidate at most once. `taken` are transactions that another line of the source has;
    `apart` are those that a person took from a line. `ids_only`: says nothing of lines that no id names anything for.
    """
    by_id = _Index(candidates)
    free = {candidate.transaction_id for candidate in candidates} - set(taken)
    pairs: list[Pair] = []
    because: list[tuple[StatementLine, str]] = []
    nameless: list[StatementLine] = []
    for line in lines:
        named = by_id.named(line)
        if not named:
            nameless.append(line)
            continue
        if any((line.pk, one.transaction_id) in apart for one in named):
            because.append((line, "A person took its match away."))
            continue
        fitting = [one for one in named if _equal(line, one) and not contradicted(line, one)]
        chosen = next((one for one in fitting if one.transaction_id in free), None)
        if chosen is None and not fitting and (batch := by_id.batch(line, free)):
            free -= {one.transaction_id for one in batch}
            pairs += [Pair(line, one, naming_rule(line, one), in_batch=True) for one in batch]
            continue
        if chosen is None:
            because.append((line, _why_not(line, named, fitting)))
            continue
        free.discard(chosen.transaction_id)
        pairs.append(Pair(line, chosen, naming_rule(line, chosen)))
    if ids_only:
        return Pairing(pairs, because)
    by_amount, alone = _by_amount(nameless, candidates, free, apart, window)
    return Pairing([*pairs, *by_amount], [*because, *alone])


def contradicted(line: StatementLine, candidate: Candidate) -> list[str]:
    """Return the kinds of ids by which the line says that it is about something else."""
    return [
        kind
        for kind in IDS
        if getattr(line, kind) and candidate.ids[kind] and getattr(line, kind) not in candidate.ids[kind]
    ]


def naming_rule(line: StatementLine, candidate: Candidate) -> StatementMatch.Rule:
    """Return the first id that names the candidate; by amount when none does."""
    for kind in IDS:
        if getattr(line, kind) and getattr(line, kind) in candidate.ids[kind]:
            return StatementMatch.Rule(kind)
    return StatementMatch.Rule.AMOUNT_AND_DATE


class _Index:
    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._of: dict[tuple[str, str], list[Candidate]] = {}
        for candidate in candidates:
            for kind, ids in candidate.ids.items():
                for one in ids:
                    self._of.setdefault((kind, one), []).append(candidate)

    def named(self, line: StatementLine) -> list[Candidate]:
        """Return what any id of the line names, the first id's first."""
        named: dict[UUID, Candidate] = {}
        for kind in IDS:
            if value := getattr(line, kind):
                for candidate in self._of.get((kind, value), ()):
                    named.setdefault(candidate.transaction_id, candidate)
        return list(named.values())

    def batch(self, line: StatementLine, free: Collection[UUID]) -> list[Candidate]:
        """Return what one id of the line names and nobody has yet, when all of it together is the line's exact amount."""
        for kind in IDS:
            if value := getattr(line, kind):
                of_id = [one for one in self._of.get((kind, value), ()) if one.transaction_id in free]
                sound = all(one.asset == line.asset and not contradicted(line, one) for one in of_id)
                if len(of_id) > 1 and sound and sum(one.amount_minor for one in of_id) == int(line.amount_minor):
                    return of_id
        return []


def _by_amount(
    lines: Sequence[StatementLine],
    candidates: Sequence[Candidate],
    free: Collection[UUID],
    apart: Collection[tuple[int, UUID]],
    window: timedelta,
) -> tuple[list[Pair], list[tuple[StatementLine, str]]]:
    of_amount: dict[tuple[str, int], list[Candidate]] = {}
    for candidate in candidates:
        if candidate.transaction_id in free:
            of_amount.setdefault((candidate.asset, candidate.amount_minor), []).append(candidate)
    possible = {
        line.pk: [
            one
            for one in of_amount.get((line.asset, int(line.amount_minor)), ())
            if (line.pk, one.transaction_id) not in apart and _near(line, one, window) and not contradicted(line, one)
        ]
        for line in lines
    }
    wanted = Counter(one.transaction_id for found in possible.values() for one in found)
    pairs: list[Pair] = []
    because: list[tuple[StatementLine, str]] = []
    for line in lines:
        found = possible[line.pk]
        if len(found) == 1 and wanted[found[0].transaction_id] == 1:
            pairs.append(Pair(line, found[0], StatementMatch.Rule.AMOUNT_AND_DATE))
        elif found:
            because.append((line, "Several could be meant by amount and date: a person has to say which."))
        elif any(_near(line, one, window) for one in of_amount.get((line.asset, int(line.amount_minor)), ())):
            because.append((line, "Only its amount is in the book: its ids say that it is about something else."))
        else:
            because.append((line, "Nothing in the book has its ids, or its amount near its date."))
    return pairs, because


def _equal(line: StatementLine, candidate: Candidate) -> bool:
    return (line.asset, int(line.amount_minor)) == (candidate.asset, candidate.amount_minor)


def _near(line: StatementLine, candidate: Candidate, window: timedelta) -> bool:
    dates = [line.booked_on, *([line.value_on] if line.value_on else [])]
    return any(abs(candidate.on_date - day) <= window for day in dates)


def _why_not(line: StatementLine, named: Sequence[Candidate], fitting: Sequence[Candidate]) -> str:
    if fitting:
        return f"Its ids name {fitting[0].key}, which another line has already."
    against = [one for one in named if contradicted(line, one)]
    if len(against) == len(named):
        kinds = ", ".join(StatementMatch.Rule(kind).label for kind in contradicted(line, against[0]))
        return f"Its ids contradict each other: {against[0].key} goes by another ({kinds})."
    other = next(one for one in named if not contradicted(line, one))
    return f"Its ids name {other.key}, whose amount or asset is another."
