"""The pages of one account and of one transaction: where every total of a report ends."""

from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ledger import account_rows, assets, statements, transaction_rows
from ledger.books import environment_of, number_of
from ledger.console import charts, filters
from ledger.console.filters import Filters
from ledger.console.reports import four, frame
from ledger.controls import clock
from ledger.controls.refusals import NotFound
from ledger.controls.roles import Section, sees
from ledger.environments import Environment
from ledger.models import Hold, Posting, Transaction
from ledger.reports import books, sheets
from ledger.reports.files import streamed
from ledger.reports.scopes import scope_of

_LINES: Final = 100
_HOLDS: Final = 50


@require_GET
def account(request: HttpRequest, environment: str, asset: str, address: str) -> HttpResponseBase:
    """Show an account: balances, holds, balance by day, statement in the scope that the filters say.

    Of now, the statement's newest page is shown, in a scope its first, unless `after` says where.
    """
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    if environment not in Environment.values or "\x00" in asset:
        raise Http404
    rows = account_rows.of_address(environment=environment, address=address)
    row = next((row for row in rows if row.balance.asset == asset), None)
    if row is None:
        raise Http404
    chosen = filters.read({**request.GET.dict(), "environment": environment, "asset": asset})
    if request.GET.get("format") == "csv":
        blocks = sheets.account_statement(environment=environment, address=address, asset=asset, scope=chosen.scope)
        name = f"{address.replace(':', '-').replace('@', '')}-{asset}-{chosen.scope.told.replace(' ', '-')}"
        return streamed(blocks, f"statement-{environment}-{name}")
    page = _page(request, chosen, address, asset)
    days = books.by_day(scope_of(environment=environment), now=clock.now(), address=address, asset=asset)
    sign = 1 if row.balance.normal_side == "credit" else -1
    context: dict[str, Any] = {
        **frame(request, f"{address} {asset}", chosen),
        "csv": f"{chosen.link()}&format=csv",
        "environment": environment,
        "row": row,
        "cells": four(row.balance, asset),
        "balance": assets.for_reading(row.balance.posted, asset),
        "available": assets.for_reading(row.balance.available, asset),
        "holds": _holds(environment, row.account_id),
        "chart": charts.lines(days, sign=sign),
        "opening": four(page.opening, asset),
        "closing": four(page.closing, asset),
        "lines": [
            {
                "line": line,
                "posted": assets.for_reading(line.posted, asset),
                "pending": assets.for_reading(line.pending, asset),
                "after": four(line.after, asset),
            }
            for line in page.lines
        ],
        "first": chosen.link(after="start"),
        "next": chosen.link(after=str(page.next_after)) if page.next_after else "",
    }
    return render(request, "console/ledger/account.html", context)


@require_GET
def transaction(request: HttpRequest, transaction_id: UUID) -> HttpResponse:
    """Show a transaction: its postings, references and template version, its hold and what ended it."""
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    stored = Transaction.objects.filter(pk=transaction_id).first()
    if stored is None:
        raise Http404
    environment = environment_of(stored.book_id)
    row = transaction_rows.one(environment=environment, transaction_id=transaction_id)
    assert row is not None
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"{stored.event_type} {stored.key}",
        "environment": environment,
        "row": row,
        "template_version": stored.template_version,
        "refs": sorted(stored.refs.items()),
        "metadata": sorted(stored.metadata.items()),
        "postings": [
            {"posting": posting, "amount": assets.for_reading(int(posting.amount_minor), posting.asset)}
            for posting in row.postings
        ],
    }
    return render(request, "console/ledger/transaction.html", context)


def _page(request: HttpRequest, chosen: Filters, address: str, asset: str) -> statements.Statement:
    text, environment, scope = request.GET.get("after", ""), chosen.environment, chosen.scope
    try:
        if text == "start" or (scope.counts and not text):
            after = None
        elif text:
            after = UUID(text)
        else:
            after = statements.place_before_newest(environment=environment, address=address, asset=asset, limit=_LINES)
        return statements.statement(
            environment=environment, address=address, asset=asset, after=after, limit=_LINES, scope=scope
        )
    except (ValueError, NotFound) as error:
        raise Http404 from error


def _holds(environment: str, account_id: int) -> list[dict[str, Any]]:
    """Return the open holds that have a pending posting of the account, newest first."""
    open_holds = Hold.objects.filter(book_id=number_of(environment), state="open").values("transaction_id")
    found: list[dict[str, Any]] = []
    for side, other in (("debit", "credit"), ("credit", "debit")):
        rows = (
            Posting.objects.filter(**{f"{side}_account_id": account_id}, kind="pending", transaction_id__in=open_holds)
            .select_related("transaction", f"{other}_account")
            .order_by("-id")[:_HOLDS]
        )
        found += [
            {
                "posting": row,
                "side": side,
                "amount": assets.for_reading(int(row.amount_minor), row.asset),
                "other": getattr(row, f"{other}_account").address,
            }
            for row in rows
        ]
    return sorted(found, key=lambda one: one["posting"].pk, reverse=True)[:_HOLDS]
