"""Review cases (their queue and page join the floors), exception cases, closes and their files."""

from django.contrib import admin

from ledger.controls.console import ReadOnlyAdmin, amount, lamp
from ledger.controls.roles import Section
from reconciliation.console import review_queue as review_queue
from reconciliation.models import CloseArtifact, CloseRun, ExceptionCase, Notice


@admin.register(ExceptionCase)
class ExceptionCaseAdmin(ReadOnlyAdmin):
    section = Section.CLOSE
    exact = ("reference", "subject", "order_reference")
    list_display = ("reference", "shown_state", "type", "subject", "at_risk", "owner", "next_review_on", "first_action")
    list_filter = ("state", "type", "business_date")

    @admin.display(description="state", ordering="state")
    def shown_state(self, row: ExceptionCase) -> str:
        return lamp(row.state)

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
