"""Statement files, lines and matches, to look at; what changes them is behind the pages of the console."""

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from ledger.controls.console import ReadOnlyAdmin, amount, lamp
from ledger.controls.roles import Section
from reconciliation.models import StatementFile, StatementLine, StatementMatch, StatementSource


class _Matched(admin.SimpleListFilter):
    title = "match"
    parameter_name = "match"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("none", "unmatched"), ("some", "matched")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        standing = StatementMatch.objects.filter(line=OuterRef("pk"), state=StatementMatch.State.STANDING)
        if self.value() == "none":
            return queryset.filter(~Exists(standing))
        if self.value() == "some":
            return queryset.filter(Exists(standing))
        return queryset


@admin.register(StatementLine)
class StatementLineAdmin(ReadOnlyAdmin):
    section = Section.CLOSE
    exact = ("reference", "line_id", "partner_order_id")
    rarely = ("our_key", "our_reference", "provider_reference")
    list_display = ("reference", "source", "line_id", "booked_on", "shown_amount", "rule", "unmatched_because")
    list_filter = (_Matched, "source", "environment")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        standing = StatementMatch.objects.filter(line=OuterRef("pk"), state=StatementMatch.State.STANDING)
        found: QuerySet[Any] = super().get_queryset(request).select_related("source")
        annotated: QuerySet[Any] = found.annotate(matched_rule=standing.values("rule")[:1])
        return annotated

    @admin.display(description="amount")
    def shown_amount(self, row: StatementLine) -> str:
        return amount(row.amount_minor, row.asset)

    @admin.display(description="matched by")
    def rule(self, row: Any) -> str:
        return str(StatementMatch.Rule(row.matched_rule).label) if row.matched_rule else lamp("unmatched")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A line has a page of its own."""
        reference = StatementLine.objects.filter(pk=object_id).values_list("reference", flat=True).first()
        return redirect("admin:statement-line", reference) if reference else redirect("admin:index")


@admin.register(StatementFile)
class StatementFileAdmin(ReadOnlyAdmin):
    section = Section.CLOSE
    exact = ("reference", "sha256")
    hidden = ("content", "mapping")
    list_display = ("reference", "source", "name", "state", "new_lines", "known_lines", "received_by", "created_at")
    list_filter = ("state", "source")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        found: QuerySet[Any] = super().get_queryset(request).select_related("source").defer("content")
        return found


@admin.register(StatementMatch)
class StatementMatchAdmin(ReadOnlyAdmin):
    section = Section.CLOSE
    exact = ("reference", "line__reference")
    rarely = ("transaction_key",)
    list_display = ("reference", "line", "transaction_key", "rule", "state", "matched_by", "reason", "created_at")
    list_filter = ("state", "rule", "source")


@admin.register(StatementSource)
class StatementSourceAdmin(ReadOnlyAdmin):
    section = Section.CLOSE
    exact = ("code",)
    list_display = ("code", "environment", "name", "kind", "account", "asset", "format", "date_window_days")
    list_filter = ("kind", "environment")
