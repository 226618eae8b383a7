"""The book, the moves and the events, read-only."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from ledger.books import environment_of
from ledger.controls.console import ReadOnlyAdmin, amount
from ledger.controls.roles import Section
from ledger.models import (
    Account,
    Approval,
    Book,
    Claim,
    Event,
    Hold,
    LedgerKey,
    Move,
    PeriodChange,
    Posting,
    PostingTemplate,
    QueuedEvent,
    Transaction,
)


def _of_key(key: str) -> QuerySet[Any, Any]:
    """Return the ids of the transactions of a key, by the index of each book's keys."""
    return LedgerKey.objects.filter(book_id__in=Book.objects.values("pk"), key=key).values("transaction_id")


@admin.register(Account)
class AccountAdmin(ReadOnlyAdmin):
    section = Section.LEDGER
    exact = ("address",)
    list_display = ("address", "asset", "gl_code", "account_class", "debits", "credits", "balance_rule", "page")
    list_filter = ("asset", "account_class", "gl_code")
    ordering = ("book_id", "address", "asset")

    @admin.display(description="posted debits (folded)")
    def debits(self, row: Account) -> str:
        return amount(row.debits_posted, row.asset)

    @admin.display(description="posted credits (folded)")
    def credits(self, row: Account) -> str:
        return amount(row.credits_posted, row.asset)

    @admin.display(description="statement")
    def page(self, row: Account) -> str:
        url = reverse("admin:ledger-account", args=[environment_of(row.book_id), row.asset, row.address])
        return format_html('<a class="underline" href="{}">open</a>', url)


@admin.register(Transaction)
class TransactionAdmin(ReadOnlyAdmin):
    section = Section.LEDGER
    exact = ("subject",)
    elsewhere = ("key",)
    rarely = ("request_id",)
    list_display = ("key", "event_type", "phase", "subject", "template", "effective_at", "page")
    list_filter = ("event_type", "phase")
    ordering = ("-id",)  # which tells the time

    def also_found(self, term: str) -> Sequence[QuerySet[Any, Any]]:
        return [_of_key(term)]

    def get_queryset(self, request: HttpRequest) -> Any:
        """Name the template version of each row in the same query."""
        version = PostingTemplate.objects.filter(pk=OuterRef("template_version"))
        return (
            super()
            .get_queryset(request)
            .annotate(
                template_number=Subquery(version.values("number")),
                template_reference=Subquery(version.values("reference")),
            )
        )

    @admin.display(description="postings")
    def page(self, row: Transaction) -> str:
        return format_html(
            '<a class="underline" href="{}">open</a>', reverse("admin:ledger-transaction", args=[row.pk])
        )

    @admin.display(description="template")
    def template(self, row: Transaction) -> str:
        number, reference = getattr(row, "template_number", None), getattr(row, "template_reference", None)
        if number is None:
            return ""
        return format_html('<a href="{}">version {}</a>', reverse("admin:chart-version", args=[reference]), number)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = super().get_fields(request, obj)
        return [name if name != "template_version" else "template" for name in fields]


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    section = Section.LEDGER
    exact = ("transaction__subject",)
    elsewhere = ("transaction__key",)
    list_display = ("reference", "kind", "debit_account", "credit_account", "shown_amount", "transaction")
    list_filter = ("kind", "asset")
    list_select_related = ("debit_account", "credit_account", "transaction")
    ordering = ("-id",)

    def also_found(self, term: str) -> Sequence[QuerySet[Any, Any]]:
        return [Posting.objects.filter(transaction_id__in=_of_key(term)).values("pk")]

    @admin.display(description="amount")
    def shown_amount(self, row: Posting) -> str:
        return amount(row.amount_minor, row.asset)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin):
    section = Section.LEDGER
    exact = ("transaction__subject",)
    elsewhere = ("transaction__key",)
    list_display = ("transaction", "state", "expires_at", "ended_at")
    list_filter = ("state",)
    list_select_related = ("transaction",)

    def also_found(self, term: str) -> Sequence[QuerySet[Any, Any]]:
        return [Hold.objects.filter(pk__in=_of_key(term)).values("pk")]


@admin.register(Move)
class MoveAdmin(ReadOnlyAdmin):
    section = Section.AUDIT
    exact = ("subject",)
    rarely = ("request_id", "event_reference", "actor")
    list_display = ("subject", "machine", "from_state", "to_state", "actor", "cause", "moved_at")
    list_filter = ("machine",)


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("reference", "aggregate")
    rarely = ("topic", "request_id")
    list_display = ("reference", "topic", "aggregate", "sequence", "public", "recorded_at")
    list_filter = ("environment", "public")


@admin.register(QueuedEvent)
class QueuedEventAdmin(ReadOnlyAdmin):
    section = Section.WEBHOOKS
    exact = ("aggregate",)
    list_display = ("event", "aggregate", "sequence", "attempts", "available_at", "dead_at")
    list_filter = (("dead_at", admin.EmptyFieldListFilter),)
    list_select_related = ("event",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*super().get_fields(request, obj), "resend"]

    @admin.display(description="resend")
    def resend(self, row: QueuedEvent) -> str:
        if row.dead_at is None:
            return "only a dead letter is resent; this one still waits"
        url = reverse("admin:operation", args=["resend-event"])
        link = '<a class="text-primary-600 dark:text-primary-500 underline" href="{}?reference={}">resend it</a>'
        return format_html(link, url, row.event.reference)


@admin.register(Claim)
class ClaimAdmin(ReadOnlyAdmin):
    section = Section.ORDERS
    exact = ("key",)
    rarely = ("request_id", "anchor")
    hidden = ("answer_body", "answer_headers", "digest")
    list_display = ("key", "route", "answer_status", "request_id", "claimed_at")


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    section = Section.AUDIT
    exact = ("reference", "subject")
    list_display = ("reference", "kind", "subject", "maker", "decision", "checker", "proposed_at")
    list_filter = ("decision", "kind")


@admin.register(PeriodChange)
class PeriodChangeAdmin(ReadOnlyAdmin):
    """Which dates were locked and unlocked, by whom: the last row of a date says what it is now."""

    section = Section.LEDGER
    exact = ("business_date", "actor", "approval")
    list_display = ("business_date", "action", "book", "actor", "approval", "changed_at", "sealed_through")
    list_filter = ("action",)
    ordering = ("-business_date", "-version")

    @admin.display(description="book")
    def book(self, row: PeriodChange) -> str:
        return environment_of(row.book_id)
