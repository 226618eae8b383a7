"""An operator's statement over REST: its own, or with a house key any operator's."""

from collections.abc import Mapping
from datetime import date
from itertools import islice
from typing import Any, Final

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.template.loader import render_to_string
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from ledger import assets
from ledger.controls import clock
from ledger.controls.refusals import NotFound
from ledger.controls.rest import shapes
from ledger.controls.rest.answers import answer, instant
from ledger.controls.rest.scopes import MissingScope, Scope
from ledger.controls.rest.shapes import read_query
from ledger.controls.rest.views import ApiView
from reconciliation import operator_statements
from reconciliation.operator_statements import OperatorStatement, Part
from wallets.models import Operator

_MOST_PRINTED: Final = 2_000


class StatementQuery(shapes.Shape):
    date = serializers.DateField(input_formats=["%Y-%m-%d"], help_text="the business date, in the book's close zone")
    operator_id = shapes.Text(
        max_length=40,
        required=False,
        default="",
        help_text="whose, with a house key; left out: your own",
    )


class MovementSum(serializers.Serializer[Any]):
    kind = serializers.CharField(
        help_text="debit, credit, reverse, late_effect, return_given_back, return_kept, settlement or adjustment"
    )
    count = serializers.IntegerField()
    owed_to_us = serializers.CharField(
        help_text="a decimal string: debits of your users' wallets, and what we paid you"
    )
    owed_to_you = serializers.CharField(help_text="a decimal string: credits of them, and what you paid us")


class StatementPart(serializers.Serializer[Any]):
    asset = serializers.CharField()
    opening = serializers.CharField(help_text="positive is what you owe us, negative what we owe you")
    movements = MovementSum(many=True)
    closing = serializers.CharField()
    settled_since = serializers.CharField(help_text="what settlements of after this date moved")
    net_settlement = serializers.CharField(help_text="what is left to settle: closing and settled_since together")
    pays = serializers.ChoiceField(choices=["you", "us", "nobody"], help_text="who pays it")


class OperatorStatementAnswer(serializers.Serializer[Any]):
    statement = serializers.CharField(help_text="its name: say it in a transfer's text")
    operator_id = serializers.CharField()
    environment = serializers.CharField()
    business_date = serializers.DateField()
    zone = serializers.CharField(help_text="of the business date")
    starts_at = serializers.DateTimeField()
    ends_at = serializers.DateTimeField()
    provisional = serializers.BooleanField(help_text="false once the date is locked: nothing changes any more")
    data = StatementPart(many=True)  # type: ignore[assignment]  # the name is the answer's, not DRF's


class OperatorStatementView(ApiView):
    scopes = {"GET": Scope.READ}
    refusals = {"GET": (MissingScope,)}

    @extend_schema(
        operation_id="get_operator_statement",
        parameters=[StatementQuery],
        responses=OperatorStatementAnswer,
        tags=["statements"],
    )
    def get(self, request: Request) -> HttpResponse:
        """What moved between you and us on a date, what is owed and what is left to settle, per asset."""
        return answer(_written(_found(self, read_query(request, StatementQuery))))


class OperatorStatementLinesView(ApiView):
    scopes = {"GET": Scope.READ}
    refusals = {"GET": (MissingScope,)}

    @extend_schema(
        operation_id="get_operator_statement_lines",
        parameters=[StatementQuery],
        responses={(200, "text/csv"): OpenApiTypes.STR},
        tags=["statements"],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """The same, movement by movement, as CSV: each with its ledger id, order and partner order id."""
        found = _found(self, read_query(request, StatementQuery))
        return StreamingHttpResponse(
            operator_statements.as_csv(found),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="{operator_statements.file_name(found)}"'},
        )


class OperatorStatementPageView(ApiView):
    scopes = {"GET": Scope.READ}
    refusals = {"GET": (MissingScope,)}

    @extend_schema(
        operation_id="get_operator_statement_page",
        parameters=[StatementQuery],
        responses={(200, "text/html"): OpenApiTypes.STR},
        tags=["statements"],
    )
    def get(self, request: Request) -> HttpResponse:
        """The same as a page to be printed, with its first 2,000 movements."""
        found = _found(self, read_query(request, StatementQuery))
        lines = list(islice(operator_statements.movements(found), _MOST_PRINTED + 1))
        shown = [
            {"line": one, "at": instant(one.effective_at), "amount": assets.text(one.amount_minor, one.asset)}
            for one in lines[:_MOST_PRINTED]
        ]
        context = {
            "operator": found.operator,
            "told": _written(found),
            "lines": shown,
            "more": len(lines) > _MOST_PRINTED,
        }
        page = render_to_string("console/statements/printable.html", context)
        return HttpResponse(page, content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})


def _found(view: ApiView, query: Mapping[str, Any]) -> OperatorStatement:
    on: date = query["date"]
    return operator_statements.statement(
        operator=_whose(view, query["operator_id"]),
        environment=view.caller.environment,
        business_date=on,
        now=clock.now(),
    )


def _whose(view: ApiView, reference: str) -> Operator:
    """Return whose it is: one's own, or the one that a house key names. Anybody else's is not there (rule T1)."""
    caller = view.caller
    if not reference or reference == caller.operator_reference:
        return Operator.objects.get(pk=caller.operator_id)
    if not caller.is_house:
        raise NotFound
    if Scope.FINANCE not in caller.scopes:
        raise MissingScope(f"This key lacks the scope “{Scope.FINANCE}”.", scope=str(Scope.FINANCE))
    found = Operator.objects.filter(reference=reference, kind=Operator.Kind.OPERATOR).first()
    if found is None:
        raise NotFound
    return found


def _written(found: OperatorStatement) -> dict[str, Any]:
    return {
        "statement": found.reference,
        "operator_id": found.operator.reference,
        "environment": found.environment,
        "business_date": found.business_date.isoformat(),
        "zone": found.zone,
        "starts_at": instant(found.start),
        "ends_at": instant(found.end),
        "provisional": not found.final,
        "data": [_part(part) for part in found.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    def text(minor: int) -> str:
        return assets.text(minor, part.asset)

    return {
        "asset": part.asset,
        "opening": text(part.opening),
        "movements": [
            {
                "kind": one.kind,
                "count": one.count,
                "owed_to_us": text(one.owed_to_us),
                "owed_to_you": text(one.owed_to_you),
            }
            for one in part.movements
        ],
        "closing": text(part.closing),
        "settled_since": text(part.settled_since),
        "net_settlement": text(abs(part.outstanding)),
        "pays": "you" if part.outstanding > 0 else "us" if part.outstanding < 0 else "nobody",
    }
