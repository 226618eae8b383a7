"""One transfer or payout from end to end, and its support packet. It only shows."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from ledger.controls import clock
from ledger.controls.console import lamp, trail
from ledger.controls.roles import Section, sees
from orders.freeze_card import freeze_card
from orders.models import Intent
from reconciliation import packets
from reconciliation.intent_trace import walk


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    """Show one intent's whole join graph."""
    intent = _intent(request, reference)
    walked = walk(intent, inside=True)
    context = {
        **admin.site.each_context(request),
        **trail(intent),
        "title": f"{intent.kind.capitalize()} {intent.reference}",
        "intent": intent,
        "state": lamp(intent.state),
        "traced": walked.record,
        "drawn": [*walked.driven, intent],
        "moves": walked.moves,
        **freeze_card(request, intent),
    }
    return render(request, "console/intent.html", context)


@require_GET
def packet(request: HttpRequest, reference: str) -> HttpResponse:
    """Download the support packet: the partner's view, to be handed over; `?inside=1`: the house's own, which is not."""
    intent, inside = _intent(request, reference), request.GET.get("inside") == "1"
    return HttpResponse(
        packets.packet_of_intent(intent, now=clock.now(), inside=inside),
        content_type=packets.CONTENT_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{packets.name_of(intent, inside=inside)}"'},
    )


def _intent(request: HttpRequest, reference: str) -> Intent:
    if not sees(request.user, Section.ORDERS):
        raise PermissionDenied
    intent = Intent.objects.filter(reference=reference).first()
    if intent is None:
        raise Http404
    return intent
