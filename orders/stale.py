"""What waits with nobody to drive it: by state and age, and whether a work row says that it will be looked at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, Exists, Min, OuterRef, QuerySet

from ledger import expiry
from ledger.controls import clock, metrics
from orders.models import Intent, Order, Payout, Return, ReviewCase, SagaRun, StaleFinding, Trade
from orders.sagas.venue_legs import RELEASE
from wallets import remote_operations
from wallets.remote_operations import Unfinished

# A step ends in one transaction that leaves a work row, or in an end; whoever has none after this was lost.
GRACE: Final = timedelta(seconds=30)
# The slowest schedule looks every hour; a row that says later says nothing.
_FARTHEST: Final = timedelta(hours=2)
# From here on it is counted, and shown on the home page: the poller should have found it long since.
LIMIT: Final = timedelta(minutes=5)
_MOST: Final = 100

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


def found(*, now: datetime, unseen_for: timedelta = GRACE, most: int = _MOST) -> list[Stale]:
    """Return what waits undriven for that long, the oldest of each kind first."""
    before = now - unseen_for
    return [
        *_orders(before, now, most),
        *_returns(before, now, most),
        *_payouts(before, now, most),
        *_operations(before, now, most),
        *_trades(before, most),
        *_holds(before, most),
        *_transfers(before, now, most),
    ]


def driven(now: datetime) -> "QuerySet[SagaRun]":
    """Return the work rows that will be looked at in foreseeable time."""
    return SagaRun.objects.filter(available_at__lte=now + _FARTHEST)


def drivers(now: datetime) -> Sequence[QuerySet[Any, Any]]:
    """Return the owners that are driven: by a row of their own or, a trade at an outside venue, by its order's."""
    rows = driven(now).values("subject")
    return [rows, Trade.objects.filter(order_reference__in=rows, terms__has_key="venue_quote").values("reference")]


def of_operations(found: Sequence[Unfinished]) -> list[Stale]:
    """Return operations as findings, each with the owner whose saga would drive it."""
    orders = _orders_of_trades([one.owner for one in found if one.leg != RELEASE])
    return [
        Stale(
            StaleFinding.Kind.OPERATION,
            one.key,
            one.environment,
            one.state,
            orders.get(one.owner, one.owner),
            one.since,
        )
        for one in found
    ]


def _orders(before: datetime, now: datetime, most: int) -> list[Stale]:
    row = driven(now).filter(subject=OuterRef("reference"))
    rows = Order.objects.filter(~Exists(row), state__in=LIVING, updated_at__lt=before).order_by("updated_at")[:most]
    return [_stale(StaleFinding.Kind.ORDER, one, owner=one.reference) for one in rows]


def _returns(before: datetime, now: datetime, most: int) -> list[Stale]:
    """Those that are being given back; the others wait for people, who have their queue."""
    row = driven(now).filter(subject=OuterRef("reference"))
    under_review = ReviewCase.objects.filter(subject=OuterRef("reference")).exclude(state=ReviewCase.State.RESOLVED)
    adjusted = Return.objects.filter(~Exists(row), ~Exists(under_review), state=Return.State.ADJUSTED)
    rows = list(adjusted.filter(updated_at__lt=before).order_by("updated_at")[:most])
    asked = remote_operations.owners_among([one.reference for one in rows])
    return [_stale(StaleFinding.Kind.RETURN, one, owner=one.reference) for one in rows if one.reference in asked]


def _payouts(before: datetime, now: datetime, most: int) -> list[Stale]:
    """Payouts of authorized intents that nobody drives: their saga was never requested, or its row is lost (OneWallet)."""
    row = driven(now).filter(subject=OuterRef("reference"))
    rows = Payout.objects.filter(~Exists(row), updated_at__lt=before).exclude(state=Payout.State.COMPLETE)
    return [_stale(StaleFinding.Kind.PAYOUT, one, owner=one.reference) for one in rows.order_by("updated_at")[:most]]


def _operations(before: datetime, now: datetime, most: int) -> list[Stale]:
    """Operations whose owner has no work row: the living owner's saga looks them up, else the poller."""
    return of_operations(remote_operations.unfinished(before=before, driven=drivers(now), most=most))


def _orders_of_trades(owners: Sequence[str]) -> Mapping[str, str]:
    """Return the orders whose sagas drive these trades' legs; a release has a saga of its own."""
    if not owners:
        return {}
    return dict(Trade.objects.filter(reference__in=owners).values_list("reference", "order_reference"))


def _trades(before: datetime, most: int) -> list[Stale]:
    """Reservations whose order has ended: nothing settles or releases them."""
    living = Order.objects.filter(reference=OuterRef("order_reference"), state__in=LIVING)
    rows = Trade.objects.filter(~Exists(living), state=Trade.State.RESERVED, updated_at__lt=before)
    return [
        _stale(StaleFinding.Kind.TRADE, one, owner=one.order_reference) for one in rows.order_by("updated_at")[:most]
    ]


def _holds(before: datetime, most: int) -> list[Stale]:
    """Orders that live while their hold has run out."""
    reserved = Trade.objects.filter(order_reference=OuterRef("reference"), state=Trade.State.RESERVED)
    rows = list(
        Order.objects.filter(Exists(reserved), state__in=LIVING, updated_at__lt=before).order_by("updated_at")[:most]
    )
    expired = expiry.expired_among([one.reference for one in rows])
    return [
        Stale(
            StaleFinding.Kind.HOLD, f"{one.reference}:hold", one.environment, one.state, one.reference, one.updated_at
        )
        for one in rows
        if one.reference in expired
    ]


def _transfers(before: datetime, now: datetime, most: int) -> list[Stale]:
    """Scheduled transfers that are due, or hold funds, and have no work row."""
    row = driven(now).filter(subject=OuterRef("reference"))
    living = Intent.objects.filter(
        ~Exists(row), kind=Intent.Kind.TRANSFER, ended_at__isnull=True, updated_at__lt=before
    )
    rows = living.filter(scheduled_for__lt=before).order_by("updated_at")[:most]
    return [_stale(StaleFinding.Kind.INTENT, one, owner=one.reference) for one in rows]


def _stale(kind: StaleFinding.Kind, one: "Order | Payout | Return | Trade | Intent", *, owner: str) -> Stale:
    return Stale(kind, one.reference, one.environment, one.state, owner, one.updated_at)


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
