"""The home page: tiles with count, oldest age and amount, each opening its filtered queue; volume of the last days."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Count, Min, QuerySet, Sum
from django.db.models.functions import TruncDate
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
_COUNT_STATES: Final = """
SELECT s.state,
       (SELECT count(*) FROM (SELECT FROM orders_order o WHERE o.state = s.state LIMIT %(most)s + 1) AS found) AS number
FROM unnest(%(states)s::text[]) AS s (state) ORDER BY number DESC, s.state
"""


@dataclass(frozen=True, slots=True)
class Tile:
    title: str
    count: int
    oldest: str
    money: list[str]
    url: str
    alarming: bool


def home(request: HttpRequest) -> dict[str, Any]:
    """Return the context of the home page, by what this person sees."""
    now = clock.now()
    reviews = ReviewCase.objects.exclude(state=ReviewCase.State.RESOLVED)
    tiles: list[Tile] = []
    if sees(request.user, Section.QUEUES):
        tiles += [
            _tile(
                "Manual review", reviews, "amount_minor", "asset", "admin:orders_reviewcase_changelist", "", True, now
            ),
            _tile(
                "Compensation",
                Order.objects.filter(state=Order.State.COMPENSATION_PENDING),
                "source_minor",
                "source_asset",
                "admin:orders_order_changelist",
                "?state__exact=compensation_pending",
                True,
                now,
            ),
            _tile(
                "In flight",
                Order.objects.filter(
                    state__in=[
                        Order.State.QUEUED,
                        Order.State.PROCESSING,
                        Order.State.OPERATOR_DEBIT_PENDING,
                        Order.State.OPERATOR_DEBITED,
                        Order.State.OPERATOR_CREDIT_PENDING,
                    ]
                ),
                "source_minor",
                "source_asset",
                "admin:orders_order_changelist",
                "",
                False,
                now,
            ),
        ]
        tiles += [_overdue(reviews, now), *_payouts(now), _unseen(now)]
    if sees(request.user, Section.ORDERS):
        tiles.append(_closed_wallets(now))
    if sees(request.user, Section.CLOSE):
        open_cases = ExceptionCase.objects.filter(state__in=["open", "assigned"])
        tiles.append(
            _tile(
                "Exceptions",
                open_cases,
                "amount_minor",
                "asset",
                "admin:reconciliation_exceptioncase_changelist",
                "",
                True,
                now,
            )
        )
    if sees(request.user, Section.WEBHOOKS):
        tiles += [_dead_deliveries(now), _outbox(now), _dead_events(now), _dead_inbound(now)]
    return {
        "tiles": tiles,
        "open_reviews": reviews.count() if sees(request.user, Section.QUEUES) else 0,
        "held_back": held_back() if sees(request.user, Section.QUEUES) else [],
        "chart": _chart(now),
        **(_endpoints(now) if sees(request.user, Section.WEBHOOKS) else {}),
        "states": _states(),
        "may_open_orders": sees(request.user, Section.ORDERS),
        "may_open_closes": sees(request.user, Section.CLOSE),
        "last_close": CloseRun.objects.order_by("-last_run_at").first(),
    }


def _states() -> list[dict[str, Any]]:
    """Count the orders in each state, no further than a list counts: in its index, not row by row."""
    most = BoundedPaginator.MOST
    with connection.cursor() as cursor:
        cursor.execute(_COUNT_STATES, {"states": Order.State.values, "most": most})
        return [
            {"state": state, "words": state.replace("_", " "), "number": min(number, most), "more": number > most}
            for state, number in cursor.fetchall()
            if number
        ]


def _tile(
    title: str, rows: "QuerySet[Any]", minor: str, asset: str, url: str, query: str, alarming: bool, now: datetime
) -> Tile:
    found = list(
        rows.values(asset).annotate(number=Count("id"), total=Sum(minor), oldest=Min("created_at")).order_by(asset)
    )
    count = sum(row["number"] for row in found)
    oldest = min((row["oldest"] for row in found), default=None)
    money = [amount(row["total"], row[asset]) for row in found]
    return Tile(title, count, age(oldest, now), money, reverse(url) + query, alarming and count > 0)


def _overdue(reviews: "QuerySet[ReviewCase]", now: datetime) -> Tile:
    """Reviews past their deadline, or that nobody looked at on their day."""
    late = reviews.filter(deadlines.overdue(now=now))
    url = "admin:orders_reviewcase_changelist"
    return _tile("Overdue reviews", late, "amount_minor", "asset", url, "?queue=overdue", True, now)


def _payouts(now: datetime) -> list[Tile]:
    """Payouts by age: those that are on their way, and those whose way has ended at people's desk."""
    flying = Payout.objects.exclude(state=Payout.State.COMPLETE)
    dead = Payout.objects.filter(state__in=(Payout.State.DEAD_LETTER, Payout.State.MANUAL_REVIEW))
    url = "admin:orders_payout_changelist"
    return [
        _tile("Payouts in flight", flying, "amount_minor", "asset", url, "?in_flight=yes", False, now),
        _tile("Payout dead letters", dead, "amount_minor", "asset", url, "?in_flight=dead", True, now),
    ]


def _unseen(now: datetime) -> Tile:
    """What waits beyond its limit in one state with nobody to drive it: nothing waits for ever unseen."""
    waiting = stale.found(now=now, unseen_for=stale.LIMIT)
    oldest = min((one.since for one in waiting), default=None)
    url = reverse("admin:orders_stalefinding_changelist")
    return Tile("Waiting, driven by nobody", len(waiting), age(oldest, now), [], url, bool(waiting))


def _closed_wallets(now: datetime) -> Tile:
    """Closed wallets in which something moved: nobody can pay it out until they are open again."""
    moved = Wallet.objects.filter(moved_after_close_at__isnull=False)
    url, query = "admin:wallets_wallet_changelist", "?moved_after_close_at__isnull=False"
    return _alarm("Closed wallets with money", moved, "moved_after_close_at", url, query, now)


def _dead_deliveries(now: datetime) -> Tile:
    """What was sent to endpoints in vain, and not taken since."""
    url = "admin:webhooks_delivery_changelist"
    return _alarm("Dead deliveries", given_up.left_to_do(), "ended_at", url, "?given_up=left", now)


def _outbox(now: datetime) -> Tile:
    waiting = QueuedEvent.objects.filter(dead_at__isnull=True)
    found = waiting.aggregate(number=Count("event_id"), oldest=Min("available_at"))
    url = reverse("admin:ledger_queuedevent_changelist")
    return Tile("Outbox", found["number"], age(found["oldest"], now), [], url + "?dead_at__isempty=1", False)


def _dead_events(now: datetime) -> Tile:
    """What the relay has given up: neither an endpoint nor our own sagas have heard of it."""
    dead = QueuedEvent.objects.filter(dead_at__isnull=False)
    url = "admin:ledger_queuedevent_changelist"
    return _alarm("Outbox dead letters", dead, "dead_at", url, "?dead_at__isempty=0", now)


def _dead_inbound(now: datetime) -> Tile:
    """What came in and could not be applied in all its tries."""
    dead = InboundEvent.objects.filter(state=InboundEvent.State.DEAD)
    url = "admin:webhooks_inboundevent_changelist"
    return _alarm("Inbox dead letters", dead, "judged_at", url, "?state__exact=dead", now)


def _alarm(title: str, rows: "QuerySet[Any]", since: str, url: str, query: str, now: datetime) -> Tile:
    found = rows.order_by(since)[: BoundedPaginator.MOST].aggregate(number=Count("pk"), oldest=Min(since))
    return Tile(title, found["number"], age(found["oldest"], now), [], reverse(url) + query, found["number"] > 0)


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


def _chart(now: datetime) -> list[dict[str, Any]]:
    """Return the orders of the last fourteen days as bars: height in per cent of the tallest."""
    since = now - timedelta(days=13)
    rows = {
        row["day"]: row["number"]
        for row in Order.objects.filter(
            environment__in=Environment.values,  # by the index of an environment's window
            created_at__gte=since.replace(hour=0, minute=0, second=0, microsecond=0),
        )
        .annotate(day=TruncDate("created_at"))
        .values("day")
        .annotate(number=Count("created_at"))
    }
    days = [(since + timedelta(days=n)).date() for n in range(14)]
    tallest = max(rows.values(), default=0) or 1
    return [
        {"day": day, "number": rows.get(day, 0), "height": 100 * rows.get(day, 0) // tallest, "x": 24 * n}
        for n, day in enumerate(days)
    ]
