"""The page of a statement source: whose statements, which account they confirm, and which column holds what."""

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import transaction as db_transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from ledger import assets
from ledger.controls import clock
from ledger.controls.console import actor_of
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.environments import Environment
from reconciliation import schedule
from reconciliation.models import StatementSource
from reconciliation.statements import mapping as mappings
from reconciliation.statements import sources
from reconciliation.statements.mapping import CsvMapping
from wallets.models import Operator


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, environment: str = "", code: str = "") -> HttpResponse:
    """Show a source's form; a POST makes a new source, or changes how a known one is read."""
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    source = StatementSource.objects.filter(environment=environment, code=code).first() if code else None
    if code and source is None:
        raise Http404
    if request.method == "POST":
        try:
            need(request.user, Ability.WORK_STATEMENTS)
            kept = _change(request, source) if source else _create(request)
            messages.success(request, f"{kept.name}: kept. Later files are read so.")
            return redirect("admin:statement-source", kept.environment, kept.code)
        except Refusal as refusal:
            messages.error(request, refusal.message)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": source.name if source else "New statement source",
        "source": source,
        "given": _given(request, source),
        "columns": _columns(request, source),
        "formats": StatementSource.Format.choices,
        "environments": Environment.values,
        "assets": assets.codes(),
        "banks": sorted({bank for one in Environment for bank in sources.banks(one)}),
        "operators": Operator.objects.filter(kind=Operator.Kind.OPERATOR)
        .order_by("slug")
        .values_list("slug", flat=True),
        "date_formats": list(mappings.DATE_FORMATS),
        "delimiters": list(mappings.DELIMITERS),
        "decimal_marks": list(mappings.DECIMAL_MARKS),
        "may_work": may(request.user, Ability.WORK_STATEMENTS),
    }
    return render(request, "console/statements/source.html", context)


def _create(request: HttpRequest) -> StatementSource:
    form = _form(request)
    if form["environment"] not in Environment.values:
        raise Malformed("There is no such environment.")
    with db_transaction.atomic():
        made = sources.create(
            environment=form["environment"],
            code=form["code"],
            name=form["name"],
            format=form["format"],
            asset=form["asset"],
            bank=form["bank"],
            operator_slug=form["operator"],
            mapping=_mapping(request),
            date_window_days=_days(form["date_window_days"]),
            actor=actor_of(request),
            now=clock.now(),
        )
        _log(request, made, ADDITION)
    return made


def _change(request: HttpRequest, source: StatementSource) -> StatementSource:
    with db_transaction.atomic():
        changed = sources.change(
            environment=source.environment,
            code=source.code,
            mapping=_mapping(request),
            date_window_days=_days(_form(request)["date_window_days"]),
            actor=actor_of(request),
            now=clock.now(),
        )
        _log(request, changed, CHANGE)
    return changed


_FIELDS = ("environment", "code", "name", "format", "asset", "bank", "operator", "date_window_days")


def _form(request: HttpRequest) -> Mapping[str, str]:
    return {name: request.POST.get(name, "").strip().replace("\x00", "") for name in _FIELDS}


def _mapping(request: HttpRequest) -> CsvMapping:
    def text(name: str) -> str:
        return request.POST.get(name, "").replace("\x00", "").strip()

    def words(name: str) -> tuple[str, ...]:
        return tuple(word.strip() for word in text(name)[:400].split(",") if word.strip())

    return CsvMapping(
        columns={name: text(f"column-{name}") for name in mappings.COLUMNS if text(f"column-{name}")},
        delimiter=text("delimiter"),
        date_format=text("date_format"),
        decimal_mark=text("decimal_mark"),
        words_in=words("words_in"),
        words_out=words("words_out"),
        positive_is_out=text("positive_is_out") == "yes",
    )


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 2):
        raise Malformed("The date window is a whole number of days.")
    return int(text)


def _given(request: HttpRequest, source: StatementSource | None) -> Mapping[str, Any]:
    if request.method == "POST":
        return {name: request.POST.get(name, "") for name in (*_FIELDS, *_READING)}
    kept = source.mapping if source else CsvMapping().as_json()
    return {
        "environment": source.environment if source else schedule.book_with_records(),
        "format": source.format if source else "csv",
        "asset": source.asset if source else "",
        "date_window_days": source.date_window_days if source else 3,
        "delimiter": kept.get("delimiter", "comma"),
        "date_format": kept.get("date_format", "YYYY-MM-DD"),
        "decimal_mark": kept.get("decimal_mark", "point"),
        "words_in": ", ".join(kept.get("words_in", ())),
        "words_out": ", ".join(kept.get("words_out", ())),
        "positive_is_out": "yes" if kept.get("positive_is_out") else "no",
    }


_READING = ("delimiter", "date_format", "decimal_mark", "words_in", "words_out", "positive_is_out")


def _columns(request: HttpRequest, source: StatementSource | None) -> list[tuple[str, str, str]]:
    kept = source.mapping.get("columns", {}) if source else {}
    return [
        (name, label, request.POST.get(f"column-{name}", kept.get(name, "")))
        for name, label in mappings.COLUMNS.items()
    ]


def _log(request: HttpRequest, source: StatementSource, flag: int) -> None:
    LogEntry.objects.create(
        user_id=int(request.user.pk or 0),
        content_type=ContentType.objects.get_for_model(StatementSource),
        object_id=str(source.pk),
        object_repr=str(source)[:200],
        action_flag=flag,
        change_message=str(source.mapping)[:2000],
    )
