"""Freeze an order or intent, or lift the freeze, from its own page and from the page of its case."""

from collections.abc import Callable

from django.core.exceptions import PermissionDenied
from django.db import transaction as db_transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from ledger.controls import clock
from ledger.controls.console import actor_of, attempt
from ledger.controls.refusals import Malformed
from ledger.controls.roles import Ability, Section, need, sees
from orders.models import Intent, Order, ReviewCase
from orders.operations import freeze_order

_LONGEST_REASON = 200


@require_POST
def act(request: HttpRequest, reference: str, action: str) -> HttpResponse:
    """Carry out `freeze` or `lift` and go back to the page that asked; a refusal is a message there."""
    order = Order.objects.filter(reference=reference).first()
    intent = Intent.objects.filter(reference=reference).first()
    subject = order or intent
    handler = _ACTIONS.get(action)
    if handler is None or subject is None:
        raise Http404
    if not sees(request.user, Section.ORDERS):
        raise PermissionDenied
    attempt(request, lambda: handler(request, subject))
    case = ReviewCase.objects.filter(reference=request.POST.get("case", "")).first()
    if case is not None:
        return redirect("admin:review-case", case.reference)
    if order is not None:
        return redirect("admin:orders_order_change", order.pk)
    return redirect("admin:intent-page", subject.reference)


def _freeze(request: HttpRequest, subject: Order | Intent) -> str:
    need(request.user, Ability.HALT_AND_FREEZE)
    reason = request.POST.get("reason", "").strip()
    if not reason or len(reason) > _LONGEST_REASON:
        raise Malformed(f"A reason of at most {_LONGEST_REASON} letters is needed.")
    actor, now = actor_of(request), clock.now()
    with db_transaction.atomic():
        if isinstance(subject, Intent):
            freeze_order.freeze_intent(intent_reference=subject.reference, reason=reason, actor=actor, now=now)
        else:
            freeze_order.freeze_order(order_reference=subject.reference, reason=reason, actor=actor, now=now)
    return f"{subject.reference} is frozen: no step and no ask until the freeze is lifted."


def _lift(request: HttpRequest, subject: Order | Intent) -> str:
    need(request.user, Ability.HALT_AND_FREEZE)
    with db_transaction.atomic():
        if isinstance(subject, Intent):
            freeze_order.lift_intent_freeze(
                intent_reference=subject.reference, actor=actor_of(request), now=clock.now()
            )
        else:
            freeze_order.lift_freeze(order_reference=subject.reference, actor=actor_of(request), now=clock.now())
    return f"{subject.reference} goes on."


_ACTIONS: dict[str, Callable[[HttpRequest, Order | Intent], str]] = {"freeze": _freeze, "lift": _lift}
