"""REST of the reports, for house keys with the scope `finance`."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from ledger import assets, statements
from ledger.controls.refusals import NotFound
from ledger.controls.rest import shapes
from ledger.controls.rest.answers import answer
from ledger.controls.rest.pages import MalformedCursor
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import read_query
from ledger.controls.rest.views import ApiView
from ledger.reports import books, scopes
from ledger.rest import answers
from ledger.rest.accounts import cursor
from ledger.rest.answers import four
from ledger.rest.shapes import FourBalances, StatementAnswer, amount_text


class _Date(serializers.DateField):
    def __init__(self, help_text: str) -> None:
        super().__init__(required=False, input_formats=["%Y-%m-%d"], help_text=help_text)


class ReportQuery(shapes.Shape):
    block = shapes.QueryNumber(required=False, min_value=1, help_text="as of this sealed block: final")
    date = _Date("as of the end of this business date; final when it is locked")
    to = _Date("the last date of a period")
    asset = shapes.Text(max_length=20, required=False, default="", help_text="an asset's code")

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": _Date("the first date of a period: what counts in it")}


class AllBalancesQuery(ReportQuery):
    gl_code = shapes.Text(max_length=20, required=False, default="")
    workflow_view = shapes.Text(max_length=40, required=False, default="")


class BalancesQuery(AllBalancesQuery):
    limit = shapes.QueryNumber(min_value=1, max_value=500, required=False, default=100, help_text="how many at most")
    after = shapes.Text(max_length=400, required=False, default="", help_text="`next` of the page before")


class AllStatementQuery(ReportQuery):
    asset = shapes.Text(max_length=20, help_text="an asset's code")


class StatementReportQuery(AllStatementQuery):
    limit = shapes.QueryNumber(min_value=1, max_value=500, required=False, default=50, help_text="how many at most")
    after = shapes.Text(max_length=36, required=False, default="", help_text="`next` of the page before")


class ReportHead(serializers.Serializer[Any]):
    as_of = serializers.CharField(help_text="in words: a block, a date, a period or now")
    provisional = serializers.BooleanField(help_text="false as of a sealed block or a locked date: it stays so")
    ledger_root = serializers.CharField(help_text="of the sealed block, or empty", allow_blank=True)


class BalanceLine(FourBalances):
    address = serializers.CharField()
    asset = serializers.CharField()
    account_class = serializers.CharField()
    gl_code = serializers.CharField()
    workflow_view = serializers.CharField()
    balance = amount_text("posted, on the account's normal side")


class BalancesReport(ReportHead):
    data = BalanceLine(many=True)  # type: ignore[assignment]  # the name is the answer's, not DRF's
    next = serializers.CharField(allow_null=True)


class TrialLine(FourBalances):
    gl_code = serializers.CharField()
    asset = serializers.CharField()
    account_class = serializers.CharField()
    accounts = serializers.IntegerField()
    debit_balance = amount_text()
    credit_balance = amount_text()


class TrialTotal(FourBalances):
    asset = serializers.CharField()
    debit_balance = amount_text()
    credit_balance = amount_text()
    zero_sum = serializers.BooleanField()


class TrialBalanceReport(ReportHead):
    data = TrialLine(many=True)  # type: ignore[assignment]  # as above
    totals = TrialTotal(many=True)
    zero_sum = serializers.BooleanField()


class AlmLine(serializers.Serializer[Any]):
    part = serializers.CharField(help_text="covers, owed, in_flight or own")
    account_class = serializers.CharField()
    workflow_view = serializers.CharField()
    accounts = serializers.IntegerField()
    amount = amount_text()
    pending = amount_text()


class AlmAsset(serializers.Serializer[Any]):
    asset = serializers.CharField()
    covers = amount_text()
    owed = amount_text()
    in_flight = amount_text()
    surplus = amount_text("what covers less what is owed and in flight; negative is a shortfall")
    zero_sum = serializers.BooleanField(help_text="the surplus is what our own accounts say")
    lines = AlmLine(many=True)


class AlmReport(ReportHead):
    data = AlmAsset(many=True)  # type: ignore[assignment]  # as above


class StatementReport(ReportHead, StatementAnswer):
    """A statement in a scope: a period opens with what counted before its first date."""


class BalancesReportView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (MalformedCursor, NotFound)}

    @extend_schema(
        operation_id="report_balances", parameters=[BalancesQuery], responses=BalancesReport, tags=["reports"]
    )
    def get(self, request: Request) -> HttpResponse:
        """Accounts with their balances, by address."""
        query = read_query(request, BalancesQuery)
        scope = scope_of(self.caller.environment, query)
        lines, place = books.balances(
            scope,
            asset=query["asset"],
            gl_code=query["gl_code"],
            view=query["workflow_view"],
            after=_place(query["after"]),
            limit=query["limit"],
        )
        data = [
            {
                "address": line.address,
                "asset": line.asset,
                "account_class": line.account_class,
                "gl_code": line.gl_code,
                "workflow_view": line.workflow_view,
                **four(line, line.asset),
                "balance": assets.text(line.balance, line.asset),
            }
            for line in lines
        ]
        return answer({**_head(scope), "data": data, "next": place and "|".join(place)})


class TrialBalanceView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (NotFound,)}

    @extend_schema(
        operation_id="report_trial_balance", parameters=[ReportQuery], responses=TrialBalanceReport, tags=["reports"]
    )
    def get(self, request: Request) -> HttpResponse:
        """The trial balance by GL code and asset, with its zero-sum check."""
        query = read_query(request, ReportQuery)
        scope = scope_of(self.caller.environment, query)
        found = books.trial_balance(scope, asset=query["asset"])
        data = [
            {
                "gl_code": line.gl_code,
                "asset": line.asset,
                "account_class": line.account_class,
                "accounts": line.accounts,
                **_columns(line),
            }
            for line in found.lines
        ]
        totals = [{"asset": total.asset, **_columns(total), "zero_sum": total.zero_sum} for total in found.totals]
        return answer({**_head(scope), "data": data, "totals": totals, "zero_sum": found.zero_sum})


class AlmView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (NotFound,)}

    @extend_schema(operation_id="report_alm", parameters=[ReportQuery], responses=AlmReport, tags=["reports"])
    def get(self, request: Request) -> HttpResponse:
        """Asset by asset: what is owed, what covers it, what is in flight, surplus or shortfall."""
        query = read_query(request, ReportQuery)
        scope = scope_of(self.caller.environment, query)
        data = [
            {
                "asset": one.asset,
                **{part: assets.text(one.of(part), one.asset) for part in ("covers", "owed", "in_flight")},
                "surplus": assets.text(one.surplus, one.asset),
                "zero_sum": one.zero_sum,
                "lines": [
                    {
                        "part": line.part,
                        "account_class": line.account_class,
                        "workflow_view": line.workflow_view,
                        "accounts": line.accounts,
                        "amount": assets.text(line.amount, one.asset),
                        "pending": assets.text(line.pending, one.asset),
                    }
                    for line in one.lines
                ],
            }
            for one in books.alm(scope, asset=query["asset"])
        ]
        return answer({**_head(scope), "data": data})


class StatementReportView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (MalformedCursor, NotFound)}

    @extend_schema(
        operation_id="report_statement", parameters=[StatementReportQuery], responses=StatementReport, tags=["reports"]
    )
    def get(self, request: Request, address: str) -> HttpResponse:
        """An account's statement with running balances: of now, as of a block or a date, or of a period."""
        query = read_query(request, StatementReportQuery)
        scope = scope_of(self.caller.environment, query)
        found = statements.statement(
            environment=self.caller.environment,
            address=address,
            asset=query["asset"],
            after=cursor(query["after"]),
            limit=query["limit"],
            scope=scope,
        )
        return answer({**_head(scope), **answers.statement(found)})


def scope_of(environment: str, query: Mapping[str, Any]) -> scopes.Scope:
    """Return the scope that a report's query asks for. Raises NotFound, or what a bad question is refused with."""
    return scopes.scope_of(
        environment=environment,
        block=query.get("block"),
        on=query.get("date"),
        since=query.get("from"),
        to=query.get("to"),
    )


def _head(scope: scopes.Scope) -> dict[str, Any]:
    return {"as_of": scope.told, "provisional": scope.provisional, "ledger_root": scope.root}


def _columns(line: books.TrialLine | books.TrialTotal) -> dict[str, str]:
    return {
        **four(line, line.asset),
        "debit_balance": assets.text(line.debit_balance, line.asset),
        "credit_balance": assets.text(line.credit_balance, line.asset),
    }


def _place(cursor: str) -> tuple[str, str]:
    if not cursor:
        return ("", "")
    address, found, asset = cursor.partition("|")
    if not found or not address or not asset:
        raise MalformedCursor(errors={"after": ["This is not a cursor of this report."]})
    return address, asset
