"""The reports' pages: each total opens the rows behind it, and each page is also a CSV file."""

from collections.abc import Callable
from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ledger import assets, seals
from ledger.balances import FourBalances
from ledger.console import charts, filters
from ledger.console.filters import Filters
from ledger.controls import clock
from ledger.controls.roles import Section, sees
from ledger.environments import Environment
from ledger.reports import books, sheets
from ledger.reports.files import streamed

_ROWS: Final = 200


@require_GET
def page(request: HttpRequest, name: str) -> HttpResponseBase:
    """Show a report, or stream it (`?format=csv`)."""
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    if name not in _PAGES:
        raise Http404
    chosen = filters.read(request.GET.dict())
    if request.GET.get("format") == "csv":
        return _download(name, chosen)
    title, template, context = _PAGES[name]
    return render(
        request,
        template,
        {**frame(request, title, chosen), **context(request, chosen), "csv": f"{chosen.link()}&format=csv"},
    )


def frame(request: HttpRequest, title: str, chosen: Filters) -> dict[str, Any]:
    """Return what every page of the ledger shows: its filters and what they mean."""
    newest = seals.newest(chosen.environment)
    return {
        **admin.site.each_context(request),
        "title": title,
        "filters": chosen,
        "scope": chosen.scope,
        "environments": Environment.values,
        "assets": filters.asset_codes(),
        "newest_block": newest.number if newest else None,
    }


def four(balances: FourBalances, asset: str) -> list[str]:
    """Return the four balances as a page shows them."""
    amounts = (
        balances.debits_posted,
        balances.credits_posted,
        balances.debits_pending,
        balances.credits_pending,
    )
    return [assets.for_reading(amount, asset) for amount in amounts]


def _download(name: str, chosen: Filters) -> StreamingHttpResponse:
    sheet = {"trial-balance": sheets.TRIAL_BALANCE, "alm": sheets.ALM, "balances": sheets.BALANCES}[name]
    blocks = sheets.report(
        sheet,
        chosen.scope,
        asset=chosen.asset,
        gl_code=chosen.gl_code,
        account_class=chosen.account_class,
        view=chosen.view,
    )
    told = chosen.scope.told.replace(" ", "-")
    return streamed(blocks, f"{name}-{chosen.environment}-{told}")


def _trial_balance(request: HttpRequest, chosen: Filters) -> dict[str, Any]:
    found = books.trial_balance(chosen.scope, asset=chosen.asset)
    return {
        "zero_sum": found.zero_sum,
        "groups": [
            {
                "total": total,
                "sums": _cells(total, total.asset),
                "link": chosen.link(asset=total.asset),
                "lines": [
                    {
                        "line": line,
                        "cells": _cells(line, line.asset),
                        "link": chosen.link(asset=line.asset, gl_code=line.gl_code),
                    }
                    for line in found.lines
                    if line.asset == total.asset
                ],
            }
            for total in found.totals
        ],
    }


def _alm(request: HttpRequest, chosen: Filters) -> dict[str, Any]:
    flying = books.in_flight_by_day(chosen.scope, now=clock.now(), asset=chosen.asset)
    return {
        "flying": charts.lines(flying),
        "found": [
            {
                "alm": one,
                "surplus": assets.for_reading(one.surplus, one.asset),
                "bars": charts.bars(one),
                "parts": [
                    {
                        "total": assets.for_reading(one.of(part), one.asset),
                        "lines": [_alm_line(line, one.asset, chosen) for line in one.lines if line.part == part],
                        "name": part,
                    }
                    for part in books.PARTS
                ],
            }
            for one in books.alm(chosen.scope, asset=chosen.asset)
        ],
    }


def _alm_line(line: books.AlmLine, asset: str, chosen: Filters) -> dict[str, Any]:
    return {
        "line": line,
        "amount": assets.for_reading(line.amount, asset),
        "pending": assets.for_reading(line.pending, asset),
        "link": chosen.link(asset=asset, account_class=line.account_class, view=line.workflow_view),
    }


def _balances(request: HttpRequest, chosen: Filters) -> dict[str, Any]:
    address, _, asset = request.GET.get("after", "")[:400].replace("\x00", "").partition("|")
    lines, place = books.balances(
        chosen.scope,
        asset=chosen.asset,
        gl_code=chosen.gl_code,
        account_class=chosen.account_class,
        view=chosen.view,
        after=(address, asset),
        limit=_ROWS,
    )
    return {
        "lines": [
            {"line": line, "cells": four(line, line.asset), "balance": assets.for_reading(line.balance, line.asset)}
            for line in lines
        ],
        "scoped": chosen.link(asset="", gl_code="", account_class="", view=""),
        "next": chosen.link(after="|".join(place)) if place else "",
    }


def _cells(line: books.TrialLine | books.TrialTotal, asset: str) -> list[str]:
    return [
        *four(line, asset),
        assets.for_reading(line.debit_balance, asset),
        assets.for_reading(line.credit_balance, asset),
    ]


_PAGES: Final[dict[str, tuple[str, str, Callable[[HttpRequest, Filters], dict[str, Any]]]]] = {
    "trial-balance": ("Trial balance", "console/ledger/trial_balance.html", _trial_balance),
    "alm": ("Assets and liabilities", "console/ledger/alm.html", _alm),
    "balances": ("Balances", "console/ledger/balances.html", _balances),
}
