"""The reports as CSV files, streamed as they come out of the database; for house keys with the scope `finance`."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.controls.refusals import NotFound
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import read_query
from ledger.controls.rest.views import ApiView
from ledger.reports import sheets
from ledger.reports.files import streamed
from ledger.rest.reports import AllBalancesQuery, AllStatementQuery, ReportQuery, scope_of

_CSV = {(200, "text/csv"): OpenApiTypes.BINARY}


class _ReportFile(ApiView):
    """One report, whole: each row says as of what it is, whether that is final, and the sealed block's root."""

    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (NotFound,)}
    sheet: sheets.Sheet

    def _file(self, query: Mapping[str, Any], **wanted: str) -> StreamingHttpResponse:
        scope = scope_of(self.caller.environment, query)
        blocks = sheets.report(self.sheet, scope, asset=query["asset"], **wanted)
        return streamed(blocks, self.sheet.name.replace("_", "-"))


class BalancesFileView(_ReportFile):
    sheet = sheets.BALANCES

    @extend_schema(operation_id="report_balances_csv", parameters=[AllBalancesQuery], responses=_CSV, tags=["reports"])
    def get(self, request: Request) -> HttpResponseBase:
        """All accounts with their balances, as CSV."""
        query = read_query(request, AllBalancesQuery)
        return self._file(query, gl_code=query["gl_code"], view=query["workflow_view"])


class TrialBalanceFileView(_ReportFile):
    sheet = sheets.TRIAL_BALANCE

    @extend_schema(operation_id="report_trial_balance_csv", parameters=[ReportQuery], responses=_CSV, tags=["reports"])
    def get(self, request: Request) -> HttpResponseBase:
        """The trial balance, as CSV."""
        return self._file(read_query(request, ReportQuery))


class AlmFileView(_ReportFile):
    sheet = sheets.ALM

    @extend_schema(operation_id="report_alm_csv", parameters=[ReportQuery], responses=_CSV, tags=["reports"])
    def get(self, request: Request) -> HttpResponseBase:
        """What is owed and what covers it, as CSV."""
        return self._file(read_query(request, ReportQuery))


class StatementFileView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (NotFound,)}

    @extend_schema(
        operation_id="report_statement_csv", parameters=[AllStatementQuery], responses=_CSV, tags=["reports"]
    )
    def get(self, request: Request, address: str) -> HttpResponseBase:
        """An account's whole statement with running balances, as CSV."""
        query = read_query(request, AllStatementQuery)
        environment = self.caller.environment
        scope = scope_of(environment, query)
        blocks = sheets.account_statement(environment=environment, address=address, asset=query["asset"], scope=scope)
        return streamed(blocks, "statement")
