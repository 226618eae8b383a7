"""Review cases over REST, for the house's keys with the scope `support`: to be read; people decide in the console."""

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.controls import clock
from ledger.controls.refusals import NotFound
from ledger.controls.rest import pages
from ledger.controls.rest.answers import answer
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import Shape, read_query
from ledger.controls.rest.views import ApiView
from orders.models import ReviewCase
from orders.reviews import deadlines
from reconciliation import review_answers, shapes

_EXACT = {"status": "state", "reason": "reason", "owner": "owner", "subject": "subject"}


class ReviewCasesView(ApiView):
    scopes = {"GET": Scope.SUPPORT}
    refusals = {"GET": (pages.MalformedCursor,)}

    @extend_schema(
        operation_id="list_review_cases",
        parameters=[shapes.ReviewCaseList],
        responses=shapes.ReviewCasePage,
        tags=["reviews"],
    )
    def get(self, request: Request) -> HttpResponse:
        """What the automatic path gave up, newest first: the cases that people work."""
        query = read_query(request, shapes.ReviewCaseList)
        now = clock.now()
        mine = _cases(self)
        shown = mine.filter(**{column: query[name] for name, column in _EXACT.items() if name in query})
        if query["overdue"]:
            shown = shown.filter(deadlines.overdue(now=now))
        found, cursor = pages.page(mine=mine, shown=shown, query=query)
        data = review_answers.listed(found, environment=self.caller.environment, now=now)
        return answer({"data": data, "next": cursor})


class ReviewCaseView(ApiView):
    scopes = {"GET": Scope.SUPPORT}

    @extend_schema(operation_id="get_review_case", responses=shapes.ReviewCaseDetail, tags=["reviews"])
    def get(self, request: Request, review_case_id: str) -> HttpResponse:
        """One case, with what the remote side was asked, what may be done about it, and its history."""
        read_query(request, Shape)
        case = _cases(self).filter(reference=review_case_id).first()
        if case is None:
            raise NotFound
        return answer(review_answers.detailed(case, now=clock.now()))


def _cases(view: ApiView) -> "QuerySet[ReviewCase]":
    return ReviewCase.objects.filter(environment=view.caller.environment)
