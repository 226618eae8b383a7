"""The home page: tiles with count, oldest age and amount, each opening its filtered queue; volume of the last days."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, DecimalField, F, Min, QuerySet, Sum, Value
from django.http import HttpRequest
from django.urls import reverse

from ledger.controls import clock
from ledger.controls.console import BoundedPaginator, age, amount
from ledger.controls.roles import Section, sees
from ledger.environments import Environment
from ledger.models import QueuedEvent
from orders import stale
from orders.models import Order, Payout, ReviewCase
from orders.reviews import deadlines
from reconciliation.console.held_back import held_back
from reconciliation.models import CloseRun, ExceptionCase
from wallets.models import Wallet
from webhooks import given_up, health, notices
from webhooks.models import Endpoint, InboundEvent

_ENDPOINTS_SHOWN: Final = 8
_NOTICES_SHOWN: Final = 10
_DAYS: Final = 14
_AMOUNT: Final = ("asset", "amount_minor")
_REVIEW: Final = "Manual review"
_QUEUES: Final = 6
"""Tiles of the queues, after which comes what nobody drives."""

_FLYING: Final = (
    *(Order.State.QUEUED, Order.State.PROCESSING, Order.State.OPERATOR_DEBIT_PENDING),
    *(Order.State.OPERATOR_DEBITED, Order.State.OPERATOR_CREDIT_PENDING),
)
_COUNT_ORDERS: Final = """
SELECT s.state, NULL AS day,
       (SELECT count(*) FROM (SELECT FROM orders_order o WHERE o.state = s.state LIMIT %(most)s + 1) AS found)
FROM unnest(%(states)s::text[]) AS s (state)
UNION ALL
SELECT '', d.day, (SELECT count(*) FROM orders_order o WHERE o.environment = ANY (%(environments)s)
                   AND o.created_at >= d.day::timestamp AT TIME ZONE 'UTC'
                   AND o.created_at < (d.day + 1)::timestamp AT TIME ZONE 'UTC')
FROM unnest(%(days)s::date[]) AS d (day)
"""


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    count: int
    oldest: str
    money: list[str]
    url: str
    alarming: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a tile counts: rows, by their asset if they have one, and the instant since which each waits."""

    title: str
    rows: "QuerySet[Any]"
    url: str
    query: str = ""
    money: tuple[str, str] | None = None
    """Its columns: the asset and the minor units."""
    since: str = "created_at"
    alarming: bool = True


def home(request: HttpRequest) -> dict[str, Any]:
    """Return the context of the home page, by what this person sees."""
    now = clock.now()
    asked: list[_Asked] = []
    if sees(request.user, Section.QUEUES):
        asked += _queues(now)
    if sees(request.user, Section.ORDERS):
        asked.append(_closed_wallets())
    if sees(request.user, Section.CLOSE):
        open_cases = ExceptionCase.objects.filter(state__in=["open", "assigned"])
        url = "admin:reconciliation_exceptioncase_changelist"
        asked.append(_Asked("Exceptions", open_cases, url, money=_AMOUNT))
    if sees(request.user, Section.WEBHOOKS):
        asked += _messages()
    tiles = _counted(asked, now)
    if sees(request.user, Section.QUEUES):
        tiles.insert(_QUEUES, _unseen(now))
    states, chart = _volume(now)
    return {
        "tiles": tiles,
        "open_reviews": next((tile.count for tile in tiles if tile.title == _REVIEW), 0),
        "held_back": held_back(now) if sees(request.user, Section.QUEUES) else [],
        "chart": chart,
        **(_endpoints(now) if sees(request.user, Section.WEBHOOKS) else {}),
        "states": states,
        "may_open_orders": sees(request.user, Section.ORDERS),
        "may_open_closes": sees(request.user, Section.CLOSE),
        "last_closes": list(_last_closes()),
    }


def _last_closes() -> "QuerySet[CloseRun]":
    """Return each book's close of its newest date that was run, whichever date was run last."""
    run = CloseRun.objects.filter(last_run_at__isnull=False)
    return run.order_by("environment", "-business_date").distinct("environment")


def _queues(now: datetime) -> list[_Asked]:
    """What waits for people, and what is on its way: reviews, orders, and payouts by age."""
    reviews = ReviewCase.objects.exclude(state=ReviewCase.State.RESOLVED)
    back = Order.objects.filter(state=Order.State.COMPENSATION_PENDING)
    flying = Order.objects.filter(state__in=_FLYING)
    sent = Payout.objects.exclude(state=Payout.State.COMPLETE)
    dead = Payout.objects.filter(state__in=(Payout.State.DEAD_LETTER, Payout.State.MANUAL_REVIEW))
    case, order, payout = (f"admin:orders_{name}_changelist" for name in ("reviewcase", "order", "payout"))
    source = ("source_asset", "source_minor")
    return [
        _Asked(_REVIEW, reviews, case, money=_AMOUNT),
        _Asked("Compensation", back, order, "?state__exact=compensation_pending", money=source),
        _Asked("In flight", flying, order, alarming=False, money=source),
        # past their deadline, or that nobody looked at on their day
        _Asked("Overdue reviews", reviews.filter(deadlines.overdue(now=now)), case, "?queue=overdue", money=_AMOUNT),
        _Asked("Payouts in flight", sent, payout, "?in_flight=yes", alarming=False, money=_AMOUNT),
        _Asked("Payout dead letters", dead, payout, "?in_flight=dead", money=_AMOUNT),
    ]


def _messages() -> list[_Asked]:
    """What was not taken, or could not be applied: no further than a list counts."""
    waiting = QueuedEvent.objects.filter(dead_at__isnull=True)
    given_up_events = QueuedEvent.objects.filter(dead_at__isnull=False)
    inbound = InboundEvent.objects.filter(state=InboundEvent.State.DEAD)
    outbox, inbox = "admin:ledger_queuedevent_changelist", "admin:webhooks_inboundevent_changelist"
    deliveries = "admin:webhooks_delivery_changelist"
    return [
        # what was sent to endpoints in vain, and not taken since
        _Asked(
            "Dead deliveries", _most(given_up.left_to_do(), "ended_at"), deliveries, "?given_up=left", since="ended_at"
        ),
        _Asked("Outbox", waiting, outbox, "?dead_at__isempty=1", since="available_at", alarming=False),
        # what the relay has given up: neither an endpoint nor our own sagas have heard of it
        _Asked(
            "Outbox dead letters", _most(given_up_events, "dead_at"), outbox, "?dead_at__isempty=0", since="dead_at"
        ),
        # what came in and could not be applied in all its tries
        _Asked("Inbox dead letters", _most(inbound, "judged_at"), inbox, "?state__exact=dead", since="judged_at"),
    ]


def _most(rows: "QuerySet[Any]", since: str) -> "QuerySet[Any]":
    """Return as many of these rows as a list counts, the oldest of them."""
    oldest = rows.order_by(since).values("pk")[: BoundedPaginator.MOST]
    found: QuerySet[Any] = rows.model._default_manager.filter(pk__in=oldest)
    return found


def _counted(asked: Sequence[_Asked], now: datetime) -> list[Tile]:
    """Count all of them in one question, the amounts of each by their assets."""
    if not asked:
        return []
    first, *others = (
        one.rows.order_by()
        .annotate(tile=Value(number), of=F(one.money[0]) if one.money else Value(""))
        .values("tile", "of")
        .annotate(
            number=Count("pk"),
            total=Sum(one.money[1]) if one.money else Value(None, DecimalField()),
            oldest=Min(one.since),
        )
        .values_list("tile", "of", "number", "total", "oldest")
        for number, one in enumerate(asked)
    )
    found: dict[int, list[tuple[str, int, Any, Any]]] = {}
    for number, *counted in first.union(*others, all=True):
        found.setdefault(number, []).append(tuple(counted))
    return [_tile(one, sorted(found.get(number, [])), now) for number, one in enumerate(asked)]


def _tile(one: _Asked, found: Sequence[tuple[str, int, Any, Any]], now: datetime) -> Tile:
    count = sum(number for _, number, _, _ in found)
    oldest = min((since for *_, since in found if since), default=None)
    money = [amount(total, asset) for asset, _, total, _ in found if total is not None]
    return Tile(one.title, count, age(oldest, now), money, reverse(one.url) + one.query, one.alarming and count > 0)


def _unseen(now: datetime) -> Tile:
    """What waits beyond its limit in one state with nobody to drive it: nothing waits for ever unseen."""
    waiting = stale.found(now=now, unseen_for=stale.LIMIT)
    oldest = min((one.since for one in waiting), default=None)
    url = reverse("admin:orders_stalefinding_changelist")
    return Tile("Waiting, driven by nobody", len(waiting), age(oldest, now), [], url, bool(waiting))


def _closed_wallets() -> _Asked:
    """Closed wallets in which something moved: nobody can pay it out until they are open again."""
    moved = Wallet.objects.filter(moved_after_close_at__isnull=False)
    url, query, since = "admin:wallets_wallet_changelist", "?moved_after_close_at__isnull=False", "moved_after_close_at"
    return _Asked("Closed wallets with money", moved, url, query, since=since)


def _endpoints(now: datetime) -> dict[str, Any]:
    """Return the endpoints that need somebody first, with their health, and the notices that nobody has settled."""
    rows = list(Endpoint.objects.order_by("disabled_at", "failing_since", "-pk")[:_ENDPOINTS_SHOWN])
    found = health.of(rows)
    return {
        "notices": list(notices.open_notices()[:_NOTICES_SHOWN]),
        "endpoints": [
            {"row": row, "health": found[row.pk], "oldest": age(found[row.pk].oldest_waiting, now)} for row in rows
        ],
    }


def _volume(now: datetime) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the orders in each state, most first, counted no further than a list counts, and those of the last fourteen
    days as bars: height in per cent of the tallest. In indexes, not row by row.
    """
    days = [now.date() - timedelta(days=n) for n in reversed(range(_DAYS))]
    most = BoundedPaginator.MOST
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT_ORDERS,
            {"states": Order.State.values, "most": most, "days": days, "environments": Environment.values},
        )
        rows = cursor.fetchall()
    states = sorted((-number, state) for state, day, number in rows if day is None and number)
    by_day = {day: number for _, day, number in rows if day is not None}
    tallest = max(by_day.values(), default=0) or 1
    return [
        {"state": state, "words": state.replace("_", " "), "number": min(-number, most), "more": -number > most}
        for number, state in states
    ], [_bar(n, day, number=by_day[day], height=100 * by_day[day] // tallest) for n, day in enumerate(days)]


def _bar(n: int, day: date, *, number: int, height: int) -> dict[str, Any]:
    """Place a bar, its middle, and the number above its top; the drawing is 100 high and grows downwards."""
    return {"day": day, "number": number, "height": height, "x": 24 * n, "middle": 24 * n + 10, "above": 97 - height}
