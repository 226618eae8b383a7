"""Trace and support packet over REST: an operator's own orders, in the partner's view."""

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.controls import clock
from ledger.controls.refusals import NotFound
from ledger.controls.rest.answers import answer
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_query
from ledger.controls.rest.views import ApiView
from orders.models import Order
from reconciliation import packets, trace


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


def _order(view: ApiView, order_id: str) -> Order:
    mine = Order.objects.filter(operator_id=view.caller.operator_id, environment=view.caller.environment)
    row = mine.filter(reference=order_id).first()
    if row is None:
        raise NotFound
    return row
