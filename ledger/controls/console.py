"""What every page of the console is: read-only, seen by role, searched by exact id, never a 500 for a refusal."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db import models
from django.db.models import Q, QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.text import capfirst
from django.utils.timesince import timesince, timeuntil
from unfold.admin import ModelAdmin

from ledger import assets
from ledger.controls import clock
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.roles import Section, sees


class BoundedPaginator(Paginator):  # type: ignore[type-arg]  # generic in its stubs only
    """Counts no further than it takes: a list of millions is narrowed by its filters and its search, not paged through."""

    MOST: Final = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.MOST].count())


class RecentValues(admin.FieldListFilter):
    """Offers the values that a column has in the newest rows, and the chosen one: to read every row for it takes seconds."""

    LOOKS_AT: Final = 2_000
    MOST: Final = 50

    def __init__(
        self, field: Any, request: HttpRequest, params: Any, model: Any, model_admin: Any, field_path: str
    ) -> None:
        self.parameter = field_path
        self.chosen = str(params.get(field_path, [""])[-1])
        newest = model._default_manager.order_by("-pk").values_list(field_path, flat=True)[: self.LOOKS_AT]
        self.values = sorted({str(value) for value in newest if value} | ({self.chosen} - {""}))[: self.MOST]
        super().__init__(field, request, params, model, model_admin, field_path)

    def expected_parameters(self) -> list[str | None]:
        return [self.parameter]

    def has_output(self) -> bool:
        return bool(self.values)

    def choices(self, changelist: Any) -> Iterator[Any]:
        everything = changelist.get_query_string(remove=[self.parameter])
        yield {"selected": not self.chosen, "query_string": everything, "display": "All"}
        for value in self.values:
            query = changelist.get_query_string({self.parameter: value})
            yield {"selected": value == self.chosen, "query_string": query, "display": value}


NAMED_COLUMNS: Final[dict[str, Callable[[Any], str]]] = {}
"""Columns that keep another floor's id, and what a row's page shows instead: that floor's admin fills it."""


class ReadOnlyAdmin(ModelAdmin):
    """Rows that nobody changes here. `exact` names the columns that the search box compares, whole.

    Each of them has an index. Those in `elsewhere` are found by another table's (`also_found`); those in `rarely` have none:
    they are compared only when no other has what is searched for, and in the newest rows alone.
    `tells_age` gives each row the instant at which it was read, as `seen_at`.
    """

    section: ClassVar[Section]
    exact: ClassVar[Sequence[str]] = ()
    elsewhere: ClassVar[Sequence[str]] = ()
    rarely: ClassVar[Sequence[str]] = ()
    RARELY_LOOKS_AT: ClassVar[int] = 100_000
    tells_age: ClassVar[bool] = False
    hidden: ClassVar[Sequence[str]] = ()
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    paginator = BoundedPaginator
    actions: Any = None
    ordering: Sequence[str] = ()
    list_display_links: Sequence[str] | None = None
    list_before_template = "console/list_style.html"
    change_form_outer_before_template = "console/row_diagram.html"  # draws the machines' rows, and nothing for others

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.search_fields = (*self.exact, *self.elsewhere, *self.rarely)
        self.search_help_text = self._told()
        self.list_display_links = tuple(self.list_display[:1]) if self.list_display else None
        if not self.ordering:
            self.ordering = ("-pk",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Title a list with what is in it: a browser's tabs say “Orders”, not “Select order to view”."""
        title = capfirst(self.model._meta.verbose_name_plural)
        response: HttpResponse = super().changelist_view(request, {"title": title, **(extra_context or {})})
        return response

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        if not term:
            return queryset, False
        found = queryset.filter(pk__in=self._by_index(term))
        if self.rarely and not found.exists():
            return self._newest(queryset).filter(_any_of(self.model, self.rarely, term)), False
        return found, False

    def also_found(self, term: str) -> "Sequence[QuerySet[Any, Any]]":
        """Return the primary keys of rows that another table's index leads to: the columns `elsewhere`."""
        return ()

    def _by_index(self, term: str) -> "QuerySet[Any, Any]":
        """Return the primary keys of what is found, each column in a question of its own: one OR over them would read all."""
        rows = self.model._default_manager.all()
        arms = [rows.filter(_any_of(self.model, [column], term)).values("pk") for column in self.exact]
        first, *others = [*arms, *self.also_found(term)] or [rows.none().values("pk")]
        found: QuerySet[Any, Any] = first.union(*others, all=True) if others else first
        return found

    def _newest(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        numbers = self.model._default_manager.order_by("-pk").values_list("pk", flat=True)
        before = numbers[self.RARELY_LOOKS_AT : self.RARELY_LOOKS_AT + 1].first()
        return rows if before is None else rows.filter(pk__gt=before)

    def _told(self) -> str:
        """Say what the search box compares."""
        names = [_words(one) for one in (*self.exact, *self.elsewhere)]
        newest = [_words(one) for one in self.rarely]
        said = [f"Whole {', '.join(names)}" if names else ""]
        said += [f"in the newest {self.RARELY_LOOKS_AT:,} rows {', '.join(newest)}" if newest else ""]
        return "; ".join(one for one in said if one)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        if self.tells_age:
            rows = rows.annotate(seen_at=Value(clock.now(), output_field=models.DateTimeField()))
        return rows

    def get_list_filter(self, request: HttpRequest) -> Sequence[Any]:
        """Let a column whose words are not a closed set offer those of recent rows."""
        return [self._filter_of(one) for one in super().get_list_filter(request)]

    def _filter_of(self, named: Any) -> Any:
        if not isinstance(named, str):
            return named
        field = self.model._meta.get_field(named)
        closed = getattr(field, "choices", None) or isinstance(
            field, models.BooleanField | models.DateField | models.ForeignKey
        )
        return named if closed else (named, RecentValues)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Show each column that is not hidden; minor units that have an asset beside them as an amount, ids by name."""
        shown = [field.name for field in self.model._meta.fields if field.name not in self.hidden]
        return [self._amounts.get(name) or NAMED_COLUMNS.get(name, name) for name in shown]

    @cached_property
    def _amounts(self) -> dict[str, Callable[[Any], str | None]]:
        fields = {field.name: field for field in self.model._meta.fields}
        found: dict[str, Callable[[Any], str | None]] = {}
        for name, field in fields.items():
            stem = name.removesuffix("_minor")
            asset = next((one for one in (f"{stem}_asset", "asset") if one in fields), None)
            if stem != name and asset:
                found[name] = _amount_of(
                    name,
                    asset,
                    title=stem.replace("_", " ").replace("vat", "VAT"),
                    help=str(getattr(field, "help_text", "")),
                )
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return self.get_fields(request, obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return sees(request.user, self.section)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return sees(request.user, self.section)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _any_of(model: type[models.Model], columns: Sequence[str], term: str) -> Q:
    """Return the condition that one of the columns is the term; one that cannot be, a date's, is left out."""
    wanted = Q(pk__in=())
    for column in columns:
        with suppress(ValidationError):
            wanted |= Q(**{column: _field(model, column).to_python(term)})
    return wanted


def _words(column: str) -> str:
    return column.replace("__", " ").replace("_", " ")


def _field(model: type[models.Model], column: str) -> Any:
    first, _, rest = column.partition("__")
    field: Any = model._meta.get_field(first)
    return _field(field.related_model, rest) if rest else field


def _amount_of(column: str, asset: str, *, title: str, help: str) -> Callable[[Any], str | None]:
    @admin.display(description=title, empty_value="–")
    def shown(row: Any) -> str | None:
        minor = getattr(row, column)
        if minor is None:
            return None
        return format_html('{}<div class="mt-2 text-xs">{}</div>', amount(minor, getattr(row, asset)), help)

    return shown


def trail(row: models.Model) -> dict[str, Any]:
    """Return what draws the way back above a row's own page: its floor, its list, the row."""
    return {"opts": row._meta, "original": row}


def actor_of(request: HttpRequest) -> str:
    """How audit rows name a person of the console."""
    return f"user:{request.user.get_username()}"


def attempt(request: HttpRequest, work: Callable[[], str]) -> bool:
    """Carry out one operation; its success or refusal becomes a message. Returns whether it succeeded."""
    try:
        messages.success(request, work())
    except Refusal as refusal:
        messages.error(request, refusal.message)
        return False
    return True


def amount(minor: Any, asset: str) -> str:
    """Show minor units as a decimal string with their asset."""
    return f"{assets.text(int(minor), asset)} {asset}" if asset else ""


def age(moment: Any, now: datetime | None = None) -> str:
    """Show how long ago something was. Rows of a list hand their `seen_at` over: one question of the time for all."""
    return timesince(moment, now or clock.now()).replace("\xa0", " ") if moment else ""


def until(moment: datetime, now: datetime) -> str:
    """Show how long there is until something."""
    return timeuntil(moment, now).replace("\xa0", " ")


def chosen_date(text: str) -> date | None:
    """Read the date of a form's field, None when it is empty. Raises Malformed."""
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise Malformed("A date is YYYY-MM-DD.") from None


# Written out: the theme's stylesheet holds few of the colour classes, and a lamp must be legible in the dark too.
_GREEN = "background:#dcfce7;color:#166534"
_RED = "background:#fee2e2;color:#991b1b"
_BLUE = "background:#dbeafe;color:#1e40af"
_ORANGE = "background:#ffedd5;color:#9a3412"
_GREY = "background:#e5e7eb;color:#374151"

_COLOURS = {
    "processed": _GREEN,
    "settled": _GREEN,
    "delivered": _GREEN,
    "confirmed": _GREEN,
    "matched": _GREEN,
    "manual_review": _RED,
    "dead": _RED,
    "overdue": _RED,
    "frozen": _BLUE,
    "unknown": _ORANGE,
    "compensation_pending": _ORANGE,
    "open": _ORANGE,
    "proposed": _BLUE,
    "applied": _GREEN,
    "parked": _ORANGE,
    "assigned": _BLUE,
    "in_review": _BLUE,
    "locked": _GREEN,
    "resolved": _GREEN,
    "approved": _GREEN,
}


def lamp(state: str, words: str = "") -> str:
    """Show a state as a coloured word, or other words in its colour."""
    return format_html(
        '<span class="px-2 py-0.5 rounded text-xs font-semibold whitespace-nowrap" style="{}">{}</span>',
        _COLOURS.get(state, _GREY),
        words or state,
    )
