"""What waits with nobody to drive it: by state and age, and whether a work row says that it will be looked at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Case, Count, Exists, F, Min, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Concat

from ledger import expiry
from ledger.controls import clock, metrics
from orders.models import Intent, Order, Payout, Return, ReviewCase, SagaRun, StaleFinding, Trade
from orders.sagas.venue_legs import RELEASE
from wallets import remote_operations

# A step ends in one transaction that leaves a work row, or in an end; whoever has none after this was lost.
GRACE: Final = timedelta(seconds=30)
# The slowest schedule looks every hour; a row that says later says nothing.
_FARTHEST: Final = timedelta(hours=2)
# From here on it is counted, and shown on the home page: the poller should have found it long since.
LIMIT: Final = timedelta(minutes=5)
_MOST: Final = 100
# How the poller says that it asked about an operation whose owner has ended; it does so again, and is then its driver.
LOOKED_UP: Final = "looked up: "
_ORDER: Final = (
    *(StaleFinding.Kind.ORDER, StaleFinding.Kind.RETURN, StaleFinding.Kind.PAYOUT, StaleFinding.Kind.OPERATION),
    *(StaleFinding.Kind.TRADE, StaleFinding.Kind.HOLD, StaleFinding.Kind.INTENT),
)
_ADJUSTED: Final = Return.State.ADJUSTED

LIVING: Final = tuple(
    state for state in Order.State if state not in (Order.State.PROCESSED, Order.State.FAILED, Order.State.COMPENSATED)
)


@dataclass(frozen=True, slots=True)
class Stale:
    """One subject that waits and that nobody drives. `owner` is the order, payout or return whose saga would."""

    kind: StaleFinding.Kind
    subject: str
    environment: str
    state: str
    owner: str
    since: datetime


def found(*, now: datetime, unseen_for: timedelta = GRACE, most: int = _MOST, but_noted: bool = False) -> list[Stale]:
    """Return what waits undriven for that long, the oldest of each kind first, in one question: no more than `most` a kind.

    An operation that the poller has looked up, and will look up again in time, is driven by it.
    `but_noted`: without what was found in this state before and whose time has not come again: it leaves room for others.
    """
    kinds = _kinds(now - unseen_for, now, noted=_noted(now) if but_noted else _looked_up(now))
    first, *others = (rows.order_by("updated_at")[:most] for rows in kinds)
    return sorted(_read(first.union(*others, all=True)), key=lambda one: (_ORDER.index(one.kind), one.since))


def driven(now: datetime) -> "QuerySet[SagaRun]":
    """Return the work rows that will be looked at in foreseeable time."""
    return SagaRun.objects.filter(available_at__lte=now + _FARTHEST)


def drivers(now: datetime) -> Sequence[QuerySet[Any, Any]]:
    """Return the owners that are driven: by a row of their own or, a trade at an outside venue, by its order's."""
    rows = driven(now).values("subject")
    return [rows, Trade.objects.filter(order_reference__in=rows, terms__has_key="venue_quote").values("reference")]


def of_operations(rows: "QuerySet[Any, Any]", *, most: int) -> list[Stale]:
    """Return operations as findings, the first first, each with the owner whose saga would drive it."""
    return _read(_operations(rows).order_by("pk")[:most])


def _noted(now: datetime) -> "QuerySet[StaleFinding]":
    return StaleFinding.objects.filter(again_at__gt=now)


def _looked_up(now: datetime) -> "QuerySet[StaleFinding]":
    watched = StaleFinding.objects.filter(kind=StaleFinding.Kind.OPERATION, done__startswith=LOOKED_UP)
    return watched.filter(again_at__gt=now - LIMIT)


def _kinds(before: datetime, now: datetime, *, noted: "QuerySet[StaleFinding]") -> "Iterator[QuerySet[Any, Any]]":
    """Yield what stands still of each kind, unchanged since `before` and not noted: the columns of `Stale`."""
    row = Exists(driven(now).filter(subject=OuterRef("reference")))
    orders = Order.objects.filter(state__in=LIVING)
    trades = Trade.objects.filter(state=Trade.State.RESERVED)
    reserved = Exists(trades.filter(order_reference=OuterRef("reference")))
    living = Exists(orders.filter(reference=OuterRef("order_reference")))
    open_case = ReviewCase.objects.filter(subject=OuterRef("reference")).exclude(state=ReviewCase.State.RESOLVED)
    asked = remote_operations.written_for(OuterRef("reference"))
    transfers = Intent.objects.filter(kind=Intent.Kind.TRANSFER, ended_at__isnull=True, scheduled_for__lt=before)
    kinds: list[tuple[StaleFinding.Kind, QuerySet[Any], str]] = [
        (StaleFinding.Kind.ORDER, orders.filter(~row), "reference"),
        # those that are being given back; the others wait for people, who have their queue
        (
            StaleFinding.Kind.RETURN,
            Return.objects.filter(~row, ~Exists(open_case), asked, state=_ADJUSTED),
            "reference",
        ),
        # payouts of authorized intents: their saga was never requested, or its row is lost (OneWallet)
        (StaleFinding.Kind.PAYOUT, Payout.objects.filter(~row).exclude(state=Payout.State.COMPLETE), "reference"),
        # reservations whose order has ended: nothing settles or releases them
        (StaleFinding.Kind.TRADE, trades.filter(~living), "order_reference"),
        # living orders whose hold has run out
        (StaleFinding.Kind.HOLD, orders.filter(reserved, expiry.expired(OuterRef("reference"))), "reference"),
        # scheduled transfers that are due, or hold funds
        (StaleFinding.Kind.INTENT, transfers.filter(~row), "reference"),
    ]
    for kind, rows, owner in kinds:
        ending = Value(":hold" if kind == StaleFinding.Kind.HOLD else "")
        known = Exists(noted.filter(subject=Concat(OuterRef("reference"), ending), state=OuterRef("state")))
        yield rows.filter(~known, updated_at__lt=before).values_list(
            Value(kind.value), Concat("reference", ending), "environment", "state", F(owner), "updated_at"
        )
    # operations whose owner has no work row: the living owner's saga looks them up, else the poller
    known = Exists(noted.filter(subject=OuterRef("key"), state=OuterRef("state")))
    yield _operations(remote_operations.unfinished(before=before, driven=drivers(now)).filter(~known))


def _operations(rows: "QuerySet[Any, Any]") -> "QuerySet[Any, Any]":
    """Return operations as the columns of `Stale`. A trade's legs are its order's saga's; a release has a saga of its own."""
    order = Trade.objects.filter(reference=OuterRef("owner")).values("order_reference")
    driver = Case(When(leg=RELEASE, then=F("owner")), default=Coalesce(Subquery(order), F("owner")))
    return rows.values_list(
        Value(StaleFinding.Kind.OPERATION.value), "key", "environment", "state", driver, "updated_at"
    )


def _read(rows: "QuerySet[Any, Any]") -> list[Stale]:
    return [Stale(StaleFinding.Kind(kind), *columns) for kind, *columns in rows]


def register() -> None:
    metrics.register(
        "holdfast_waiting_unseen",
        "What has waited beyond its limit in one state without a due work row (at most 100 a kind): an alert.",
        "gauge",
        _unseen,
    )
    metrics.register(
        "holdfast_stale_found_total", "What the status poller has found with nobody to drive it.", "counter", _found
    )


def _unseen() -> Iterator[tuple[Mapping[str, str], int]]:
    counted: dict[tuple[str, str], int] = {}
    for one in found(now=clock.now(), unseen_for=LIMIT):
        counted[one.kind.value, one.state] = counted.get((one.kind.value, one.state), 0) + 1
    for (kind, state), number in sorted(counted.items()):
        yield {"kind": kind, "state": state}, number


def _found() -> Iterator[tuple[Mapping[str, str], int]]:
    rows = StaleFinding.objects.values_list("kind").annotate(Count("pk"), Min("first_found_at")).order_by("kind")
    for kind, number, _ in rows:
        yield {"kind": kind}, number
