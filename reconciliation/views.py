"""Timeline, trace and support packet over REST: an operator's own orders and intents, in the partner's view."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.controls import clock
from ledger.controls.audit import status_changes
from ledger.controls.refusals import NotFound
from ledger.controls.rest.answers import answer, instant
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_query
from ledger.controls.rest.views import ApiView
from orders.models import Intent, Order
from reconciliation import intent_trace, packets, trace, trace_shapes


class OrderTimelineView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_order_timeline", responses=trace_shapes.Timeline, tags=["orders"])
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """The order's two records, as in its trace, and every change of its status, oldest first."""
        read_query(request, Shape)
        order = _order(self, order_id)
        data: list[dict[str, Any]] = [
            {"sequence": change.sequence, "status": change.status, "at": instant(change.at)}
            for change in status_changes(order.reference)
        ]
        return answer({**trace.records_of(order), "order_id": order.reference, "data": data})


class OrderTraceView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_order_trace", responses={200: OpenApiTypes.OBJECT}, tags=["orders"])
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """The order from end to end: every record that it joins to, by id."""
        read_query(request, Shape)
        return answer(trace.trace_of(_order(self, order_id), inside=False))


class OrderPacketView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(
        operation_id="get_order_packet", responses={(200, packets.CONTENT_TYPE): OpenApiTypes.BINARY}, tags=["orders"]
    )
    def get(self, request: Request, order_id: str) -> HttpResponse:
        """The support packet: a ZIP of the trace as JSON and as a printable page."""
        read_query(request, Shape)
        order = _order(self, order_id)
        return HttpResponse(
            packets.packet_of(order, now=clock.now()),
            content_type=packets.CONTENT_TYPE,
            headers={"Content-Disposition": f'attachment; filename="{packets.name_of(order)}"'},
        )


class IntentTraceView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_intent_trace", responses={200: OpenApiTypes.OBJECT}, tags=["intents"])
    def get(self, request: Request, intent_id: str) -> HttpResponse:
        """The transfer or payout from end to end: every record that it joins to, by id."""
        read_query(request, Shape)
        return answer(intent_trace.trace_of_intent(_intent(self, intent_id), inside=False))


class IntentPacketView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(
        operation_id="get_intent_packet", responses={(200, packets.CONTENT_TYPE): OpenApiTypes.BINARY}, tags=["intents"]
    )
    def get(self, request: Request, intent_id: str) -> HttpResponse:
        """The support packet: a ZIP of the trace as JSON and as a printable page."""
        read_query(request, Shape)
        intent = _intent(self, intent_id)
        return HttpResponse(
            packets.packet_of_intent(intent, now=clock.now()),
            content_type=packets.CONTENT_TYPE,
            headers={"Content-Disposition": f'attachment; filename="{packets.name_of(intent)}"'},
        )


def _intent(view: ApiView, intent_id: str) -> Intent:
    mine = Intent.objects.filter(operator_id=view.caller.operator_id, environment=view.caller.environment)
    row = mine.filter(reference=intent_id).first()
    if row is None:
        raise NotFound
    return row


def _order(view: ApiView, order_id: str) -> Order:
    mine = Order.objects.filter(operator_id=view.caller.operator_id, environment=view.caller.environment)
    row = mine.filter(reference=order_id).first()
    if row is None:
        raise NotFound
    return row
