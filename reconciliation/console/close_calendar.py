"""The close calendar: every date of a book with the state of its close, and the button that runs one."""

import calendar
from datetime import date
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from ledger.controls import clock
from ledger.controls.console import actor_of, attempt
from ledger.controls.refusals import Malformed
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.environments import Environment
from reconciliation import close_runs, schedule
from reconciliation.models import CloseRun, ExceptionCase
from reconciliation.windows import business_date_of

_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2199
_WEEKDAYS: Final = tuple(calendar.day_abbr)


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show a month of a book."""
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    environment = _environment(request.GET.get("environment", ""))
    today = business_date_of(environment=environment, instant=clock.now())
    month = _month(request.GET.get("month", ""), today)
    weeks = calendar.Calendar().monthdatescalendar(month.year, month.month)
    closes = {
        close.business_date: close
        for close in CloseRun.objects.filter(
            environment=environment, business_date__gte=weeks[0][0], business_date__lte=weeks[-1][-1]
        )
    }
    standing = dict(
        ExceptionCase.objects.filter(
            environment=environment, state__in=["open", "assigned"], business_date__in=list(closes)
        )
        .values_list("business_date")
        .annotate(Count("pk"))
    )
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Close calendar",
        "environment": environment,
        "environments": Environment.values,
        "month": month,
        "before": _shifted(month, -1),
        "after": _shifted(month, 1),
        "weekdays": _WEEKDAYS,
        "weeks": [
            [
                {
                    "day": day,
                    "inside": day.month == month.month,
                    "today": day == today,
                    "close": closes.get(day),
                    "standing": standing.get(day, 0),
                }
                for day in week
            ]
            for week in weeks
        ],
        "today": today,
        "may_run": may(request.user, Ability.CLOSE),
    }
    return render(request, "console/close_calendar.html", context)


@require_POST
def run(request: HttpRequest) -> HttpResponse:
    """Make the close of a date where there is none, and have it run; a refusal is a message."""
    made: list[str] = []
    if attempt(request, lambda: _run(request, made)):
        return redirect("admin:close-page", made[0])
    return redirect("admin:close-calendar")


def _run(request: HttpRequest, made: list[str]) -> str:
    need(request.user, Ability.CLOSE)
    try:
        day = date.fromisoformat(request.POST.get("date", ""))
    except ValueError as error:
        raise Malformed("A business date is YYYY-MM-DD.") from error
    environment = _environment(request.POST.get("environment", ""))
    close = close_runs.ensure(environment=environment, business_date=day, actor=actor_of(request))
    schedule.request_run(close, now=clock.now())
    made.append(close.reference)
    return f"The close of {day.isoformat()} runs."


def _environment(text: str) -> str:
    if text in Environment.values:
        return text
    return schedule.book_with_records()


def _month(text: str, today: date) -> date:
    try:
        year, month = (int(part) for part in text.split("-"))
        found = date(year, month, 1)
    except ValueError:
        return today.replace(day=1)
    return found if _FIRST_YEAR <= year <= _LAST_YEAR else today.replace(day=1)


def _shifted(month: date, by: int) -> str:
    place = month.year * 12 + month.month - 1 + by
    return f"{place // 12:04d}-{place % 12 + 1:02d}"
