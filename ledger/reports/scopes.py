"""What a report is about: all of the book as of a block, a date or now; or what counts in a period.

As of a sealed block, or of a date that is locked with every date before it, a report is final; any other is provisional.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection

from ledger.books import number_of
from ledger.controls.refusals import Malformed, NotFound
from ledger.models import Book

_QUERIES: Final = Path(__file__).resolve().parent.parent / "sql" / "reports"
_FIRST_DATE: Final = date(2000, 1, 1)
_LAST_DATE: Final = date(2200, 1, 1)

_SEALED: Final = """EXISTS (SELECT FROM ledger_block_member m
                           WHERE m.transaction_id = t.id AND m.book_id = %(book)s AND m.number <= %(block)s)"""
_LOCKED_THROUGH: Final = """
SELECT count(*) = %(last)s::date - f.day + 1
FROM (SELECT coalesce((min(t.effective_at) AT TIME ZONE %(zone)s)::date, %(last)s::date) AS day
      FROM ledger_transaction t WHERE t.book_id = %(book)s AND t.effective_at < %(until)s) AS f
JOIN ledger_period p ON p.book_id = %(book)s AND p.locked_at IS NOT NULL AND p.business_date BETWEEN f.day AND %(last)s
GROUP BY f.day
"""


Value = int | str | date | UUID | None
"""What a report's statement takes as a parameter; an instant is a date too."""


@dataclass(frozen=True, slots=True)
class Scope:
    """`statement` gives account_id and the four balances dp, cp, dq, cq; `told` says in words what it is about."""

    environment: str
    told: str
    provisional: bool
    statement: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    root: str = ""
    """The sealed block's root."""
    counts: str = ""
    """The same, of one transaction `t`: whether it counts in it. Empty: each one does."""
    earlier: str = "false"
    """Of one transaction `t`: whether it counts before a period."""
    first: date | None = None
    """A period's first date."""
    last: date | None = None
    """The date it ends with: a block's is that on which it was sealed. None: it ends now."""


def scope_of(
    *,
    environment: str,
    block: int | None = None,
    on: date | None = None,
    since: date | None = None,
    to: date | None = None,
) -> Scope:
    """Return the scope: of a block, of the end of a date, of a period of dates (both in it), or of now.

    Raises Malformed for more than one of these, NotFound for a block that is not sealed.
    """
    asked = [block is not None, on is not None, since is not None or to is not None]
    if sum(asked) > 1:
        raise Malformed("A report is as of a block, as of a date, or of a period from … to …: one of these.")
    if any(day is not None and not _FIRST_DATE <= day <= _LAST_DATE for day in (on, since, to)):
        raise Malformed("A date lies between 2000 and 2200.")
    if block is not None:
        return _of_block(environment, block)
    if on is not None:
        return _of_date(environment, on)
    if since is not None or to is not None:
        if since is None or to is None or to < since:
            raise Malformed("A period has a first and a last date, in this order.")
        return _of_period(environment, since, to)
    return Scope(environment, "now", True, query("scope_now"), {"book": number_of(environment)})


def zone_of(environment: str) -> str:
    """Return the zone whose midnight ends the book's dates."""
    return Book.objects.values_list("close_zone", flat=True).get(environment=environment)


def midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


@cache
def query(name: str) -> str:
    """Return one of the SQL files beside which the reports stand."""
    return (_QUERIES / f"{name}.sql").read_text(encoding="utf-8")


def _of_block(environment: str, block: int) -> Scope:
    book = number_of(environment)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT max(root) FILTER (WHERE number = %(block)s),"
            " coalesce(sum(members) FILTER (WHERE number <= %(block)s), 0)"
            " < coalesce(sum(members) FILTER (WHERE number > %(block)s), 0),"
            " (max(sealed_at) FILTER (WHERE number = %(block)s)"
            " AT TIME ZONE (SELECT close_zone FROM ledger_book WHERE id = %(book)s))::date"
            " FROM ledger_block WHERE book_id = %(book)s",
            {"book": book, "block": block},
        )
        row = cursor.fetchone()
    if row is None or row[0] is None:
        raise NotFound(f"There is no sealed block {block}.")
    statement = _within("chosen_through_block") if row[1] else _before("chosen_after_block")
    parameters: dict[str, Value] = {"book": book, "block": block}
    return Scope(environment, f"block {block}", False, statement, parameters, root=row[0], counts=_SEALED, last=row[2])


def _of_date(environment: str, on: date) -> Scope:
    zone = zone_of(environment)
    parameters: dict[str, Value] = {"book": number_of(environment), "until": midnight(on + timedelta(days=1), zone)}
    final = _locked_through(environment, on, zone)
    told, counts = f"the end of {on}", "t.effective_at < %(until)s"
    return Scope(environment, told, not final, _before("chosen_from"), parameters, counts=counts, last=on)


def _of_period(environment: str, since: date, to: date) -> Scope:
    zone = zone_of(environment)
    parameters: dict[str, Value] = {
        "book": number_of(environment),
        "since": midnight(since, zone),
        "until": midnight(to + timedelta(days=1), zone),
    }
    final = _locked_through(environment, to, zone)
    return Scope(
        environment,
        f"{since} to {to}",
        not final,
        _within("chosen_between"),
        parameters,
        counts="t.effective_at >= %(since)s AND t.effective_at < %(until)s",
        earlier="t.effective_at < %(since)s",
        first=since,
        last=to,
    )


def _locked_through(environment: str, day: date, zone: str) -> bool:
    parameters: dict[str, Value] = {
        "book": number_of(environment),
        "zone": zone,
        "last": day,
        "until": midnight(day + timedelta(days=1), zone),
    }
    with connection.cursor() as cursor:
        cursor.execute(_LOCKED_THROUGH, parameters)
        row = cursor.fetchone()
    return bool(row and row[0])


def _before(chosen: str) -> str:
    effects = query("effects").replace("{chosen}", query(chosen))
    return query("scope_after").replace("{now}", query("scope_now")).replace("{effects}", effects)


def _within(chosen: str) -> str:
    return query("scope_within").replace("{effects}", query("effects").replace("{chosen}", query(chosen)))
