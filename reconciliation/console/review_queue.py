"""The queue of review cases: open ones first due first, those overdue marked; many are assigned or looked up at once."""

from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html

from ledger.controls import clock
from ledger.controls.console import ReadOnlyAdmin, actor_of, age, amount, chosen_date, lamp, until
from ledger.controls.refusals import Refusal
from ledger.controls.roles import Ability, Section, may
from orders.models import ReviewCase
from orders.operations import review_case_batch
from orders.operations.review_case_batch import MOST, Result
from orders.reviews import deadlines
from reconciliation.console.people import reviewers


class Waiting(admin.SimpleListFilter):
    """What the queue shows: what is open, unless something else is chosen or an id is searched for."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("overdue", "Overdue"), ("mine", "Mine"), ("nobody", "Nobody's"), ("all", "With resolved ones")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        return iter([{**first, "display": "Open"}, *others])

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        open_ones = queryset.exclude(state=ReviewCase.State.RESOLVED)
        match self.value():
            case "overdue":
                return queryset.filter(deadlines.overdue(now=clock.now()))
            case "mine":
                return open_ones.filter(owner=request.user.get_username())
            case "nobody":
                return open_ones.filter(owner="")
            case "all":
                return queryset
            case _:
                narrowed = request.GET.get(SEARCH_VAR) or "state__exact" in request.GET
                return queryset if narrowed else open_ones


@admin.register(ReviewCase)
class ReviewCaseAdmin(ReadOnlyAdmin):
    section = Section.QUEUES
    tells_age = True
    exact = ("reference", "subject")
    list_display = (
        *("reference", "shown_state", "reason", "at_risk", "shown_due", "owner", "shown_review", "shown_age"),
        *("subject", "shown_next"),
    )
    list_filter = (Waiting, "state", "reason", "environment")
    ordering = ("due_at", "id")
    list_disable_select_all = True
    actions = ("assign_many", "look_up_many")

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: ReviewCase) -> str:
        return lamp(row.state)

    @admin.display(description="amount")
    def at_risk(self, row: ReviewCase) -> str:
        return format_html('<span class="whitespace-nowrap">{}</span>', amount(row.amount_minor, row.asset))

    @admin.display(description="next review", ordering="next_review_on")
    def shown_review(self, row: ReviewCase) -> str:
        day = row.next_review_on.isoformat() if row.next_review_on else ""
        return format_html('<span class="whitespace-nowrap">{}</span>', day)

    @admin.display(description="next action")
    def shown_next(self, row: ReviewCase) -> str:
        return format_html('<span style="display:inline-block;min-width:18rem">{}</span>', row.next_action)

    @admin.display(description="due", ordering="due_at")
    def shown_due(self, row: Any) -> str:
        return shown_due(row, now=row.seen_at)

    @admin.display(description="age", ordering="created_at")
    def shown_age(self, row: Any) -> str:
        return age(row.created_at, row.seen_at)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Offer them to those who may work reviews; nothing else is ever done to many rows here."""
        found: dict[str, Any] = super().get_actions(request)
        return {name: found[name] for name in self.actions if name in found and may(request.user, Ability.WORK_REVIEWS)}

    @admin.action(description="Assign the selected cases")
    def assign_many(self, request: HttpRequest, queryset: "QuerySet[ReviewCase]") -> HttpResponse:
        def work(references: list[str]) -> list[Result]:
            return review_case_batch.assign_cases(
                case_references=references,
                owner=request.POST.get("owner", ""),
                next_review_on=chosen_date(request.POST.get("next_review_on", "")),
                actor=actor_of(request),
                now=clock.now(),
            )

        return _many(request, queryset, action="assign_many", title="Assign review cases", work=work)

    @admin.action(description="Look the selected cases up")
    def look_up_many(self, request: HttpRequest, queryset: "QuerySet[ReviewCase]") -> HttpResponse:
        def work(references: list[str]) -> list[Result]:
            return review_case_batch.look_up_cases(case_references=references, actor=actor_of(request))

        return _many(request, queryset, action="look_up_many", title="Look review cases up", work=work)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A case has a page of its own."""
        reference = ReviewCase.objects.filter(pk=object_id).values_list("reference", flat=True).first()
        return redirect("admin:review-case", reference) if reference else redirect("admin:index")


def shown_due(case: ReviewCase, *, now: datetime) -> str:
    """Show how long there is, or how long it is overdue."""
    if case.state == ReviewCase.State.RESOLVED or case.due_at is None:
        return ""
    if case.due_at < now:
        return lamp("overdue", f"overdue {age(case.due_at, now)}")
    return f"in {until(case.due_at, now)}"


def _many(
    request: HttpRequest, queryset: "QuerySet[ReviewCase]", *, action: str, title: str, work: Any
) -> HttpResponse:
    """Show the dialog for the selected cases; its POST does it and shows each one's result."""
    if not may(request.user, Ability.WORK_REVIEWS):
        raise PermissionDenied
    cases = list(queryset.order_by("due_at", "id")[: MOST + 1])
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": title,
        "action": action,
        "checkbox": ACTION_CHECKBOX_NAME,
        "most": MOST,
        "too_many": len(cases) > MOST,
        "cases": [{"row": case, "amount": amount(case.amount_minor, case.asset)} for case in cases[:MOST]],
        "reviewers": reviewers() if action == "assign_many" else [],
        "me": request.user.get_username(),
        "finished": False,
        "refused": "",
    }
    if request.POST.get("confirmed") == "yes":
        try:
            done = work([case.reference for case in cases])
            told = {result.case_reference: result for result in done}
            for shown in context["cases"]:
                shown["result"] = told[shown["row"].reference]
            context["succeeded"] = sum(result.done for result in done)
            context["later"] = sum(result.later for result in done)
            context["finished"] = True
        except Refusal as refusal:
            context["refused"] = refusal.message
    return render(request, "console/review_cases.html", context)
