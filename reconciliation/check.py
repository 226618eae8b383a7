"""What a check is, and what it finds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Check:
    """One exception type: a break defined by one set-based query over a window.

    `place` is its line in DESIGN.md section 9's table: a record that several checks name breaks the first of them.
    `meaning` and `first_action` are the seed's words; `owner` is the team that a new case belongs to. `freezes`: the
    order of a break is frozen until a person lifts it.

    `point` is the point of the close's checklist that a break of this type stands against. `approvable`: a second person
    may accept a break with a reason. `follows` names earlier types that cause this one too: what belongs to an order (or
    intent) that one of them names is their break, not another. `passing` names what of a detail goes on changing while the
    break stays the same: an approval is of all the rest.

    `suspects` are steps of the query that are looked at no further than a number of rows: the step, and that number. A run in
    which one has more says so.

    `query` takes %(environment)s, %(book)s, %(from)s, %(to)s, %(as_of)s, and %(kept_from)s and %(kept_to)s
    (`day_movements`), and returns one row per record that breaks: subject (the record's reference), order_reference (the
    order or intent that it belongs to, or empty), operator_id, asset, amount_minor (at risk), detail (the ids to look at).
    """

    place: int
    name: str
    title: str
    meaning: str
    first_action: str
    owner: str
    query: str
    point: int = 3
    freezes: bool = False
    approvable: bool = True
    follows: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    suspects: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """A break: one record under one exception type. `amount_minor` of `asset` is at risk."""

    type: str
    subject: str
    order_reference: str
    operator_id: int | None
    asset: str
    amount_minor: int
    detail: Mapping[str, Any]
