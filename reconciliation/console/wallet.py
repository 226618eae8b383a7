"""A wallet's page: what it has of each asset, its statement and history, its freezes, and what can be done."""

from typing import Any, Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ledger import statements
from ledger.controls.console import actor_of, age, amount, trail
from ledger.controls.roles import Section, may, sees
from orders.models import WalletEntry
from reconciliation.console.wallet_operations import OF_ONE_WALLET, OPERATIONS
from wallets import holders
from wallets.models import LimitUsage, Operator, Wallet, WalletFreeze

_SHOWN: Final = 30


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    """Show a wallet; `?asset=` chooses whose statement. Changes nothing."""
    if not sees(request.user, Section.ORDERS):
        raise PermissionDenied
    wallet = Wallet.objects.filter(reference=reference).first()
    if wallet is None:
        raise Http404
    balances = holders.balances_of(wallet)
    codes = [one.asset for one in balances]
    asset = request.GET.get("asset", codes[0] if codes else "")
    if codes and asset not in codes:
        raise Http404
    newest = F("lifted_at").desc(nulls_first=True)
    freezes = list(WalletFreeze.objects.filter(wallet=wallet).order_by(newest, "-pk")[:_SHOWN])
    standing = [one for one in freezes if one.lifted_at is None]
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        **trail(wallet),
        "title": f"Wallet of {wallet.user_reference}",
        "wallet": wallet,
        "operator": Operator.objects.filter(pk=wallet.operator_id).first(),
        "address": holders.available_address(wallet),
        "status": "closed" if wallet.closed_at else "frozen" if standing else "open",
        "standing": [{"row": freeze, "age": age(freeze.frozen_at)} for freeze in standing],
        "balances": [
            {
                "asset": one.asset,
                "posted": amount(one.posted, one.asset),
                "held": amount(one.held, one.asset),
                "available": amount(one.available, one.asset),
                "incoming": amount(one.incoming, one.asset),
                "receivable": amount(one.receivable, one.asset),
            }
            for one in balances
        ],
        "asset": asset,
        "statement": _statement(wallet, asset) if asset else [],
        "sees_ledger": sees(request.user, Section.LEDGER),
        "history": _history(wallet),
        "usages": [
            {"row": row, "used": amount(row.used_minor, row.asset)}
            for row in LimitUsage.objects.filter(wallet=reference).order_by("-day", "name")[:_SHOWN]
        ],
        "reopenings": wallet.reopenings.order_by("-pk")[:_SHOWN],
        "freezes": freezes,
        "buttons": _buttons(request, wallet, standing=standing, empty=holders.are_empty(balances)),
    }
    return render(request, "console/wallet.html", context)


def _statement(wallet: Wallet, asset: str) -> list[dict[str, Any]]:
    """Return the newest postings of the wallet's account in an asset, the newest first, with the balances after each."""
    where: dict[str, Any] = {
        "environment": wallet.environment,
        "address": holders.available_address(wallet),
        "asset": asset,
    }
    place = statements.place_before_newest(**where, limit=_SHOWN)
    found = statements.statement(**where, after=place, limit=_SHOWN)
    return [
        {
            "line": line,
            "posted": _signed(line.posted if line.side == "credit" else -line.posted, asset),
            "pending": _signed(line.pending if line.side == "credit" else -line.pending, asset),
            "balance": amount(line.after.credits_posted - line.after.debits_posted, asset),
            "held": amount(line.after.debits_pending, asset),
        }
        for line in reversed(found.lines)
    ]


def _history(wallet: Wallet) -> list[dict[str, Any]]:
    rows = WalletEntry.objects.filter(wallet=wallet.reference).order_by("-pk")[:_SHOWN]
    return [
        {
            "row": row,
            "amount": _signed(int(row.amount_minor), row.asset),
            "posted": amount(row.posted_minor, row.asset),
            "held": amount(row.held_minor, row.asset),
        }
        for row in rows
    ]


def _signed(minor: int, asset: str) -> str:
    return ("+" if minor > 0 else "") + amount(minor, asset) if minor else ""


def _buttons(
    request: HttpRequest, wallet: Wallet, *, standing: list[WalletFreeze], empty: bool
) -> list[dict[str, Any]]:
    """Return the page's dialogs, each with why it cannot be opened now, if so."""
    freezers = [freeze.frozen_by for freeze in standing]
    shown = []
    for name in OF_ONE_WALLET:
        operation = OPERATIONS[name]
        why_not = ""
        if name == "reopen-wallet" and wallet.closed_at is None:
            why_not = "It is not closed."
        elif name != "reopen-wallet" and wallet.closed_at is not None:
            why_not = "The wallet is closed."
        elif name == "freeze-wallet" and actor_of(request) in freezers:
            why_not = "You have frozen it already."
        elif name == "lift-wallet-freeze" and not freezers:
            why_not = "It is not frozen."
        elif name == "close-wallet" and not empty:
            why_not = "A wallet with money, holds or debts in it cannot be closed."
        elif not may(request.user, operation.ability):
            why_not = f"Your role may not {operation.ability}."
        fields = [
            (field, label, freezers if field == "frozen_by" else choices)
            for field, label, choices in operation.fields()
            if field != "reference"
        ]
        shown.append({"name": name, "operation": operation, "why_not": why_not, "fields": fields})
    return shown
