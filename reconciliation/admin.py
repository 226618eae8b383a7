"""Review cases (their queue and page join the floors), exception cases, closes and their files."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ledger.controls.console import ReadOnlyAdmin, amount, lamp
from ledger.controls.roles import Section
from reconciliation import aging
from reconciliation import statement_admin as statement_admin
from reconciliation.check_registry import check_named
from reconciliation.checklist import cut_off_of
from reconciliation.console import review_queue as review_queue
from reconciliation.models import CloseArtifact, CloseRun, ExceptionCase, Notice

_MOST_CUT_OFF = 20


@admin.register(ExceptionCase)
class ExceptionCaseAdmin(ReadOnlyAdmin):
    section = Section.CLOSE
    tells_age = True
    exact = ("reference", "subject", "order_reference")
    list_display = (
        *("reference", "shown_state", "shown_type", "subject", "at_risk", "shown_age", "owner", "next_review_on"),
        "first_action",
    )
    list_filter = ("state", "type", "owner", "environment", "business_date")
    list_before_template = "console/exceptions_list_top.html"

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Say above the list which closes' cases are not all that there are."""
        cut_off = CloseRun.objects.filter(counts__cut_off__0__isnull=False).exclude(state=CloseRun.State.LOCKED)
        shown = [(close, cut_off_of(close)) for close in cut_off.order_by("-business_date")[:_MOST_CUT_OFF]]
        response: HttpResponse = super().changelist_view(request, {**(extra_context or {}), "cut_off": shown})
        return response

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: ExceptionCase) -> str:
        return lamp(row.state)

    @admin.display(description="type", ordering="type")
    def shown_type(self, row: ExceptionCase) -> str:
        check = check_named(row.type)
        return check.title if check else row.type

    @admin.display(description="age", ordering="created_at")
    def shown_age(self, row: Any) -> str:
        return aging.bucket(opened_at=row.created_at, now=row.seen_at)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A case has a page of its own."""
        reference = ExceptionCase.objects.filter(pk=object_id).values_list("reference", flat=True).first()
        return redirect("admin:exception-page", reference) if reference else redirect("admin:index")

    @admin.display(description="at risk")
    def at_risk(self, row: ExceptionCase) -> str:
        return amount(row.amount_minor, row.asset)


@admin.register(CloseRun)
class CloseRunAdmin(ReadOnlyAdmin):
    section = Section.CLOSE
    exact = ("reference",)
    hidden = ("lease_token",)
    list_display = ("reference", "environment", "business_date", "state", "provisional", "runs", "last_run_at")
    list_filter = ("state", "environment")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A close has a page of its own."""
        reference = CloseRun.objects.filter(pk=object_id).values_list("reference", flat=True).first()
        return redirect("admin:close-page", reference) if reference else redirect("admin:index")


@admin.register(CloseArtifact)
class CloseArtifactAdmin(ReadOnlyAdmin):
    section = Section.CLOSE
    exact = ("close_reference", "sha256")
    list_display = ("name", "close_reference", "rows", "size", "sha256", "made_at")


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    section = Section.QUEUES
    exact = ("subject",)
    hidden = ("lease_token",)
    list_display = ("subject", "kind", "text", "raised_at", "sent_at", "attempts", "last_error")
    list_filter = ("kind", "environment")
