"""Freeze an order, or lift the freeze, from its own page and from the page of its case."""

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
from orders.models import Order, ReviewCase
from orders.operations import freeze_order

_LONGEST_REASON = 200


@require_POST
def act(request: HttpRequest, reference: str, action: str) -> HttpResponse:
    """Carry out `freeze` or `lift` and go back to the page that asked; a refusal is a message there."""
    order = Order.objects.filter(reference=reference).first()
    handler = _ACTIONS.get(action)
    if handler is None or order is None:
        raise Http404
    if not sees(request.user, Section.ORDERS):
        raise PermissionDenied
    attempt(request, lambda: handler(request, order))
    case = ReviewCase.objects.filter(reference=request.POST.get("case", "")).first()
    if case is not None:
        return redirect("admin:review-case", case.reference)
    return redirect("admin:orders_order_change", order.pk)


def _freeze(request: HttpRequest, order: Order) -> str:
    need(request.user, Ability.HALT_AND_FREEZE)
    reason = request.POST.get("reason", "").strip()
    if not reason or len(reason) > _LONGEST_REASON:
        raise Malformed(f"A reason of at most {_LONGEST_REASON} letters is needed.")
    with db_transaction.atomic():
        freeze_order.freeze_order(
            order_reference=order.reference, reason=reason, actor=actor_of(request), now=clock.now()
        )
    return f"{order.reference} is frozen: no step and no ask until the freeze is lifted."


def _lift(request: HttpRequest, order: Order) -> str:
    need(request.user, Ability.HALT_AND_FREEZE)
    with db_transaction.atomic():
        freeze_order.lift_freeze(order_reference=order.reference, actor=actor_of(request), now=clock.now())
    return f"{order.reference} goes on."


_ACTIONS: dict[str, Callable[[HttpRequest, Order], str]] = {"freeze": _freeze, "lift": _lift}
