"""REST of closes, their artifacts, and exceptions: what finance reads, with house keys of the scope `finance`."""

from datetime import date
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from ledger.controls import clock
from ledger.controls.refusals import NotFound
from ledger.controls.rest import pages
from ledger.controls.rest.answers import answer
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_query
from ledger.controls.rest.views import ApiView
from reconciliation import artifact_zip, close_answers, close_shapes, downloads
from reconciliation.models import CloseRun, ExceptionCase

_DATE = OpenApiParameter("business_date", OpenApiTypes.DATE, OpenApiParameter.PATH, description="YYYY-MM-DD")


class ClosesView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (pages.MalformedCursor,)}

    @extend_schema(
        operation_id="list_closes",
        parameters=[close_shapes.CloseQuery],
        responses=close_shapes.ClosePage,
        tags=["closes"],
    )
    def get(self, request: Request) -> HttpResponse:
        """The closes of the key's book, those made last first."""
        query = read_query(request, close_shapes.CloseQuery)
        mine = CloseRun.objects.filter(environment=self.caller.environment)
        shown = mine.filter(state=query["state"]) if "state" in query else mine
        rows, cursor = pages.page(mine=mine, shown=shown, query=query)
        return answer({"data": [close_answers.close(row) for row in rows], "next": cursor})


class CloseView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (NotFound,)}

    @extend_schema(operation_id="get_close", parameters=[_DATE], responses=close_shapes.CloseDetail, tags=["closes"])
    def get(self, request: Request, business_date: str) -> HttpResponse:
        """One date's close: counts, checklist, signatures, files."""
        read_query(request, Shape)
        return answer(close_answers.close_in_full(_close(self, business_date)))


class CloseArtifactsView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (NotFound, artifact_zip.FilesMissing)}

    @extend_schema(
        operation_id="get_close_artifacts",
        parameters=[_DATE],
        responses={(200, artifact_zip.CONTENT_TYPE): OpenApiTypes.BINARY},
        tags=["closes"],
    )
    def get(self, request: Request, business_date: str) -> HttpResponseBase:
        """All files of a date's close in one ZIP, with their manifest. The same bytes as often as it is asked for."""
        read_query(request, Shape)
        close = _close(self, business_date)
        blocks = artifact_zip.stream(close)
        _keep(self, close, artifact_zip.name_of(close))
        return StreamingHttpResponse(
            blocks,
            content_type=artifact_zip.CONTENT_TYPE,
            headers={"Content-Disposition": f'attachment; filename="{artifact_zip.name_of(close)}"'},
        )


class CloseArtifactView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (NotFound, artifact_zip.FilesMissing)}

    @extend_schema(
        operation_id="get_close_artifact",
        parameters=[_DATE],
        responses={(200, "text/csv"): OpenApiTypes.BINARY},
        tags=["closes"],
    )
    def get(self, request: Request, business_date: str, name: str) -> HttpResponseBase:
        """One file of a date's close."""
        read_query(request, Shape)
        close = _close(self, business_date)
        file = artifact_zip.opened(close, name).get(name)
        if file is None:
            raise NotFound
        _keep(self, close, name)
        return downloads.download(file, filename=name)


class ExceptionsView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (pages.MalformedCursor,)}

    @extend_schema(
        operation_id="list_exceptions",
        parameters=[close_shapes.ExceptionQuery],
        responses=close_shapes.ExceptionPage,
        tags=["closes"],
    )
    def get(self, request: Request) -> HttpResponse:
        """Exception cases of the key's book, newest first."""
        query = read_query(request, close_shapes.ExceptionQuery)
        mine = ExceptionCase.objects.filter(environment=self.caller.environment)
        wanted: dict[str, Any] = {name: query[name] for name in ("state", "type") if name in query}
        if query["owner"]:
            wanted["owner"] = query["owner"]
        if "date" in query:
            wanted["business_date"] = query["date"]
        rows, cursor = pages.page(mine=mine, shown=mine.filter(**wanted), query=query)
        now = clock.now()
        return answer({"data": [close_answers.exception(row, now=now) for row in rows], "next": cursor})


class ExceptionView(ApiView):
    scopes = {"GET": Scope.FINANCE}
    refusals = {"GET": (NotFound,)}

    @extend_schema(operation_id="get_exception", responses=close_shapes.ExceptionAnswer, tags=["closes"])
    def get(self, request: Request, exception_id: str) -> HttpResponse:
        """One exception case, with the ids of every record to look at."""
        read_query(request, Shape)
        row = ExceptionCase.objects.filter(environment=self.caller.environment, reference=exception_id).first()
        if row is None:
            raise NotFound
        return answer(close_answers.exception(row, now=clock.now()))


def _keep(view: ApiView, close: CloseRun, name: str) -> None:
    downloads.keep(close, name, actor=view.caller.actor, api_key_id=view.caller.key_id)


def _close(view: ApiView, text: str) -> CloseRun:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise NotFound from None
    row = CloseRun.objects.filter(environment=view.caller.environment, business_date=day).first()
    if row is None:
        raise NotFound
    return row
