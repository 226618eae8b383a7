"""Trace: search by any id, one order from end to end, and its support packet."""

from typing import Final

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET

from ledger.controls import clock
from ledger.controls.console import amount, lamp, trail
from ledger.controls.roles import Section, sees
from orders.models import Order
from reconciliation import packets
from reconciliation.intent_trace import find_intents
from reconciliation.trace import find_orders, walk

MOST_TRADES_DRAWN: Final = 5


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Find orders and intents by any exact id; a single hit opens its trace."""
    _need(request)
    wanted = request.GET.get("id", "").strip()
    found = find_orders(wanted) if wanted else []
    intents = find_intents(wanted) if wanted else []
    if len(found) + len(intents) == 1:
        return (
            redirect("admin:trace", found[0].reference)
            if found
            else redirect("admin:intent-page", intents[0].reference)
        )
    context = {
        **admin.site.each_context(request),
        "title": "Trace",
        "wanted": wanted,
        "orders": [
            {
                "row": row,
                "state": lamp(row.state),
                "source": amount(row.source_minor, row.source_asset),
                "target": amount(row.target_minor, row.target_asset),
            }
            for row in found
        ],
        "intents": [
            {"row": row, "state": lamp(row.state), "amount": amount(row.amount_minor, row.asset)} for row in intents
        ],
    }
    return render(request, "console/trace_search.html", context)


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    """Show one order's whole join graph."""
    _need(request)
    order = _order(reference)
    walked = walk(order, inside=True)
    context = {
        **admin.site.each_context(request),
        **trail(order),
        "title": f"Trace {order.reference}",
        "order": order,
        "state": lamp(order.state),
        "traced": walked.record,
        "drawn": [order, *walked.driven[:MOST_TRADES_DRAWN]],
        "moves": walked.moves,
    }
    return render(request, "console/trace.html", context)


@require_GET
def packet(request: HttpRequest, reference: str) -> HttpResponse:
    """Download the support packet: the partner's view, to be handed over; `?inside=1`: the house's own, which is not."""
    _need(request)
    order, inside = _order(reference), request.GET.get("inside") == "1"
    return HttpResponse(
        packets.packet_of(order, now=clock.now(), inside=inside),
        content_type=packets.CONTENT_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{packets.name_of(order, inside=inside)}"'},
    )


def _need(request: HttpRequest) -> None:
    if not sees(request.user, Section.ORDERS):
        raise PermissionDenied


def _order(reference: str) -> Order:
    order = Order.objects.filter(reference=reference).first()
    if order is None:
        raise Http404
    return order
