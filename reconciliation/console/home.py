"""The home page: tiles with count, oldest age and amount, each opening its filtered queue; volume of the last days."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db.models import Count, Max, Min, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.http import HttpRequest
from django.urls import reverse

from ledger.controls import clock
from ledger.controls.console import age, amount
from ledger.controls.roles import Section, sees
from ledger.models import QueuedEvent
from orders import stale
from orders.models import Order, ReviewCase
from orders.reviews import deadlines
from reconciliation.console.held_back import held_back
from reconciliation.models import CloseRun, ExceptionCase
from webhooks import health, notices
from webhooks.models import Delivery, Endpoint

_ENDPOINTS_SHOWN: Final = 8
_NOTICES_SHOWN: Final = 10


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
    reviews = ReviewCase.objects.exclude(state=ReviewCase.State.RESOLVED)
    tiles: list[Tile] = []
    if sees(request.user, Section.QUEUES):
        tiles += [
            _tile("Manual review", reviews, "amount_minor", "asset", "admin:orders_reviewcase_changelist", "", True),
            _tile(
                "Compensation",
                Order.objects.filter(state=Order.State.COMPENSATION_PENDING),
                "source_minor",
                "source_asset",
                "admin:orders_order_changelist",
                "?state__exact=compensation_pending",
                True,
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
            ),
        ]
        tiles += [_overdue(reviews), _unseen()]
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
            )
        )
    if sees(request.user, Section.WEBHOOKS):
        tiles += [_dead_letters(), _outbox()]
    return {
        "tiles": tiles,
        "open_reviews": reviews.count(),
        "held_back": held_back() if sees(request.user, Section.QUEUES) else [],
        "chart": _chart(),
        **(_endpoints() if sees(request.user, Section.WEBHOOKS) else {}),
        "states": list(Order.objects.values("state").annotate(number=Count("id")).order_by("-number")),
        "last_close": CloseRun.objects.order_by("-last_run_at").first(),
    }


def _tile(title: str, rows: "QuerySet[Any]", minor: str, asset: str, url: str, query: str, alarming: bool) -> Tile:
    found = list(
        rows.values(asset).annotate(number=Count("id"), total=Sum(minor), oldest=Min("created_at")).order_by(asset)
    )
    count = sum(row["number"] for row in found)
    oldest = min((row["oldest"] for row in found), default=None)
    money = [amount(row["total"], row[asset]) for row in found]
    return Tile(title, count, age(oldest), money, reverse(url) + query, alarming and count > 0)


def _overdue(reviews: "QuerySet[ReviewCase]") -> Tile:
    """Reviews past their deadline, or that nobody looked at on their day."""
    late = reviews.filter(deadlines.overdue(now=clock.now()))
    url = "admin:orders_reviewcase_changelist"
    return _tile("Overdue reviews", late, "amount_minor", "asset", url, "?queue=overdue", True)


def _unseen() -> Tile:
    """What waits beyond its limit in one state with nobody to drive it: nothing waits for ever unseen."""
    waiting = stale.found(now=clock.now(), unseen_for=stale.LIMIT)
    oldest = min((one.since for one in waiting), default=None)
    url = reverse("admin:orders_stalefinding_changelist")
    return Tile("Waiting, driven by nobody", len(waiting), age(oldest), [], url, bool(waiting))


def _dead_letters() -> Tile:
    dead = Delivery.objects.filter(state=Delivery.State.DEAD).aggregate(number=Count("id"), oldest=Min("ended_at"))
    url = reverse("admin:webhooks_delivery_changelist") + "?state__exact=dead"
    return Tile("Dead letters", dead["number"], age(dead["oldest"]), [], url, dead["number"] > 0)


def _outbox() -> Tile:
    waiting = QueuedEvent.objects.aggregate(number=Count("event_id"), oldest=Min("available_at"))
    return Tile(
        "Outbox", waiting["number"], age(waiting["oldest"]), [], reverse("admin:ledger_queuedevent_changelist"), False
    )


def _endpoints() -> dict[str, Any]:
    """Return the endpoints that need somebody first, with their health, and the notices that nobody has settled."""
    rows = list(Endpoint.objects.order_by("disabled_at", "failing_since", "-pk")[:_ENDPOINTS_SHOWN])
    found = health.of(rows)
    return {
        "notices": list(notices.open_notices()[:_NOTICES_SHOWN]),
        "endpoints": [
            {"row": row, "health": found[row.pk], "oldest": age(found[row.pk].oldest_waiting)} for row in rows
        ],
    }


def _chart() -> list[dict[str, Any]]:
    """Return the orders of the last fourteen days as bars: height in per cent of the tallest."""
    since = clock.now() - timedelta(days=13)
    rows = {
        row["day"]: row["number"]
        for row in Order.objects.filter(created_at__gte=since.replace(hour=0, minute=0, second=0, microsecond=0))
        .annotate(day=TruncDate("created_at"))
        .values("day")
        .annotate(number=Count("id"), newest=Max("id"))
    }
    days = [(since + timedelta(days=n)).date() for n in range(14)]
    tallest = max(rows.values(), default=0) or 1
    return [
        {"day": day, "number": rows.get(day, 0), "height": 100 * rows.get(day, 0) // tallest, "x": 24 * n}
        for n, day in enumerate(days)
    ]
