"""REST of pay-ins: read-only, for whose wallets they are."""

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.controls.refusals import NotFound
from ledger.controls.rest import pages
from ledger.controls.rest.answers import answer
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_query
from ledger.controls.rest.views import ApiView
from orders.models import PayIn
from orders.pay_ins import shapes


class PayInsView(ApiView):
    scopes = {"GET": Scope.READ}
    refusals = {"GET": (pages.MalformedCursor,)}

    @extend_schema(
        operation_id="list_pay_ins", parameters=[shapes.PayInList], responses=shapes.PayInPage, tags=["pay-ins"]
    )
    def get(self, request: Request) -> HttpResponse:
        """What providers collected for your wallets, gave back and had taken back, newest first."""
        query = read_query(request, shapes.PayInList)
        mine = _mine(self)
        asked = {"kind": "kind", "wallet_id": "wallet", "provider_transaction": "provider_transaction"}
        chosen = mine.filter(**{column: query[name] for name, column in asked.items() if name in query})
        found, cursor = pages.page(mine=mine, shown=chosen, query=query)
        return answer({"data": [shapes.shown(row) for row in found], "next": cursor})


class PayInView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_pay_in", responses=shapes.PayInAnswer, tags=["pay-ins"])
    def get(self, request: Request, payin_id: str) -> HttpResponse:
        """One pay-in of one of your wallets."""
        read_query(request, Shape)
        row = _mine(self).filter(reference=payin_id).first()
        if row is None:
            raise NotFound
        return answer(shapes.shown(row))


def _mine(view: ApiView) -> "QuerySet[PayIn]":
    return PayIn.objects.filter(operator_id=view.caller.operator_id, environment=view.caller.environment)
