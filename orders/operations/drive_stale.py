"""The status poller: finds what waits with nobody to drive it, and has it driven again. Drain "stale".

1 find living orders, payouts, returns and transfers without a work row that will be looked at, remote operations without
  a known outcome whose owner has none, reservations of ended orders, expired holds of living ones
2 of a living owner: give its saga a row that is due, and ring
3 of an owner that has ended: look the operation up; it adds evidence, and a confirmation opens a return. What was proven
  absent is looked up too, for a week: it may turn up late
4 write down what was found; in the same state it is looked at again later, twice as late each time
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import bell, clock, drains
from orders import stale
from orders.models import Intent, Order, Payout, Return, SagaRun, StaleFinding, Trade
from orders.stale import Stale
from wallets import remote_operations

_LOOKED_UP: Final = ("asked", "unknown", "absent")
_FIRST_PAUSE: Final = timedelta(minutes=10)
_MOST_DOUBLINGS: Final = 6
_TURNS_UP_WITHIN: Final = timedelta(days=7)
_MOST_ABSENT: Final = 50

_NOTE = """
INSERT INTO orders_stalefinding AS f
    (subject, kind, environment, state, done, times, first_found_at, last_found_at, again_at)
VALUES (%(subject)s, %(kind)s, %(environment)s, %(state)s, %(done)s, 1, %(now)s, %(now)s,
        %(now)s + %(pause)s * interval '1 second')
ON CONFLICT (subject) DO UPDATE SET
    kind = excluded.kind, state = excluded.state, done = excluded.done, times = f.times + 1,
    last_found_at = excluded.last_found_at,
    again_at = excluded.last_found_at + %(pause)s * interval '1 second' * power(2, least(f.times, %(doublings)s))
"""


def drive_stale() -> int:
    """Have a batch driven again; return how many were found."""
    now = clock.now()
    found = [*stale.found(now=now, but_noted=True), *_left_absent(now)]
    living = _living([one.owner for one in found])
    for one in found:
        if one.owner in living:
            _drive(one, now=now)
        elif one.kind == StaleFinding.Kind.OPERATION and one.state in _LOOKED_UP:
            outcome = remote_operations.look_up(one.subject)
            _note(one, done=f"{stale.LOOKED_UP}{type(outcome).__name__.lower()}", now=now)
        else:
            _note(one, done="nothing: its owner has ended, people have to look", now=now)
    return len(found)


def register() -> None:
    drains.register(drains.Drain(kind="stale", work=drive_stale, depth=due))
    stale.register()


def due() -> int:
    """Count what the poller would find now."""
    now = clock.now()
    return len(stale.found(now=now, but_noted=True)) + len(_left_absent(now))


def _left_absent(now: datetime) -> list[Stale]:
    """Return the absent operations that nobody drives and whose time to be looked at has come."""
    noted = StaleFinding.objects.filter(again_at__gt=now).values("subject")
    absent = remote_operations.left_absent(since=now - _TURNS_UP_WITHIN, driven=stale.drivers(now), noted=noted)
    return stale.of_operations(absent, most=_MOST_ABSENT)


def _living(owners: Sequence[str]) -> set[str]:
    """Return those whose saga goes on: living orders, returns that are given back, trades whose release is driven."""
    orders = Order.objects.filter(reference__in=owners, state__in=stale.LIVING).values_list("reference", flat=True)
    returns = Return.objects.filter(reference__in=owners, state=Return.State.ADJUSTED)
    intents = Intent.objects.filter(reference__in=owners, ended_at__isnull=True).values_list("reference", flat=True)
    given_up = Trade.objects.filter(reference__in=owners, state__in=(Trade.State.RELEASED, Trade.State.FAILED))
    payouts = Payout.objects.filter(reference__in=owners).exclude(state=Payout.State.COMPLETE)
    others = (rows.values_list("reference", flat=True) for rows in (returns, given_up, payouts))
    return {*orders, *intents, *chain.from_iterable(others)}


def _drive(one: Stale, *, now: datetime) -> None:
    """Give the owner's saga a due row, whatever became of the old one. One that is at work is left alone."""
    with db_transaction.atomic():
        row = SagaRun(subject=one.owner, environment=one.environment, available_at=now)
        SagaRun.objects.bulk_create([row], ignore_conflicts=True)
        SagaRun.objects.filter(subject=one.owner, available_at__gt=now).filter(lease_until__isnull=True).update(
            available_at=now
        )
        _note(one, done="its saga has a work row again", now=now)
        bell.ring_after_commit("sagas")


def _note(one: Stale, *, done: str, now: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            _NOTE,
            {
                "subject": one.subject,
                "kind": one.kind.value,
                "environment": one.environment,
                "state": one.state,
                "done": done[:80],
                "now": now,
                "pause": int(_FIRST_PAUSE.total_seconds()),
                "doublings": _MOST_DOUBLINGS,
            },
        )
