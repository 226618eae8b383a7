"""Exception cases in bulk: filtered, exported, assigned together, and a sheet brought back after a dry run."""

from collections.abc import Callable
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from ledger.controls import clock
from ledger.controls.console import actor_of
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.environments import Environment
from reconciliation import case_import, case_sheet
from reconciliation.case_import import Person, Resolution, Result
from reconciliation.case_sheet import Choice
from reconciliation.console.people import exception_workers
from reconciliation.models import ExceptionCase

_SHOWN = 200


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponseBase:
    """Show the chosen cases (`?format=csv`: as a sheet); a POST assigns, tries a sheet out, or carries it out."""
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    choice = _choice(request)
    if request.method == "GET" and request.GET.get("format") == "csv":
        return _download(choice)
    shown: dict[str, Any] = {"text": "", "results": [], "carried_out": False}
    if request.method == "POST":
        try:
            need(request.user, Ability.WORK_EXCEPTIONS)
            _ACTIONS.get(request.POST.get("do", ""), _nothing)(request, shown)
        except Refusal as refusal:
            messages.error(request, refusal.message)
    return render(request, "console/exceptions_bulk.html", _context(request, choice, shown))


def _context(request: HttpRequest, choice: Choice, shown: dict[str, Any]) -> dict[str, Any]:
    found, now = case_sheet.chosen(choice), clock.now()
    results: list[Result] = shown["results"]
    types = dict(case_sheet.types())
    kinds = [one.kind for one in results]
    return {
        **admin.site.each_context(request),
        "title": "Exceptions in bulk",
        "choice": choice,
        "query": urlencode({name: value for name, value in request.GET.items() if name != "format"}),
        "rows": [(case_sheet.as_row(case, now=now), types.get(case.type, case.type)) for case in found[:_SHOWN]],
        "count": found.count(),
        "states": [("live", "open or assigned"), *ExceptionCase.State.choices],
        "types": list(types.items()),
        "environments": Environment.values,
        "columns": case_import.NEEDED,
        "resolutions": [word.value for word in Resolution if word],
        "may_work": may(request.user, Ability.WORK_EXCEPTIONS),
        "workers": exception_workers(),
        "me": request.user.get_username(),
        "counts": [(kind, kinds.count(kind)) for kind in ("changed", "unchanged", "refused")] if results else [],
        "is_some": "changed" in kinds,
        **shown,
    }


def _assign(request: HttpRequest, shown: dict[str, Any]) -> None:
    references = [one for one in request.POST.getlist("case") if one]
    owner = request.POST.get("owner", "").replace("\x00", "").strip()[:150]
    if not references:
        raise Malformed("Choose cases first.")
    if not owner:
        raise Malformed("Name an owner.")
    refused = case_import.assign_many(
        references=references,
        owner=owner,
        next_review_on=_date(request.POST.get("next_review_on", "")),
        actor=actor_of(request),
        now=clock.now(),
    )
    _log(request, f"{len(references) - len(refused)} exceptions assigned to {owner}", " ".join(references))
    messages.success(request, f"{len(references) - len(refused)} assigned to {owner}, {len(refused)} refused.")
    for reference, why in refused[:20]:
        messages.error(request, f"{reference}: {why}")


def _dry_run(request: HttpRequest, shown: dict[str, Any]) -> None:
    shown["text"] = _text(request)
    shown["results"] = case_import.dry_run(text=shown["text"], person=_person(request), now=clock.now())


def _carry_out(request: HttpRequest, shown: dict[str, Any]) -> None:
    results = case_import.carry_out(text=_text(request), person=_person(request), now=clock.now())
    shown.update(results=results, carried_out=True)
    changed = [one.reference for one in results if one.kind == "changed"]
    _log(request, f"{len(changed)} exceptions changed by a sheet", " ".join(changed))
    messages.success(request, f"Carried out: {len(changed)} changed.")


def _nothing(request: HttpRequest, shown: dict[str, Any]) -> None:
    raise Malformed("There is nothing of that name to do.")


_ACTIONS: dict[str, Callable[[HttpRequest, dict[str, Any]], None]] = {
    "assign": _assign,
    "dry-run": _dry_run,
    "carry-out": _carry_out,
}


def _download(choice: Choice) -> HttpResponse | StreamingHttpResponse:
    response = StreamingHttpResponse(
        case_sheet.as_csv(case_sheet.chosen(choice), now=clock.now()), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = 'attachment; filename="exceptions.csv"'
    response["Cache-Control"] = "no-store"
    return response


def _choice(request: HttpRequest) -> Choice:
    """Read the filters; what is no date filters nothing."""

    def text(name: str, default: str = "") -> str:
        return request.GET.get(name, default).replace("\x00", "")[:150]

    def day(name: str) -> date | None:
        try:
            return _date(text(name))
        except Refusal:
            return None

    return Choice(
        environment=text("environment"),
        state=text("state", case_sheet.LIVE),
        type=text("type"),
        owner=text("owner"),
        business_date=day("business_date"),
        review_by=day("review_by"),
    )


def _person(request: HttpRequest) -> Person:
    return Person(actor=actor_of(request), may_approve=may(request.user, Ability.SIGN_CLOSES))


def _text(request: HttpRequest) -> str:
    file = request.FILES.get("file")
    if file is None:
        return request.POST.get("text", "")
    if file.size is None or file.size > case_import.LARGEST:
        raise Malformed("The file is larger than a megabyte.")
    try:
        return str(file.read().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Malformed("The file is not UTF-8.") from error


def _date(text: str) -> date:
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError as error:
        raise Malformed("The next review date is YYYY-MM-DD.") from error


def _log(request: HttpRequest, what: str, which: str) -> None:
    """Write the audit entry; each case's own move says the rest."""
    LogEntry.objects.create(
        user_id=int(request.user.pk or 0),
        content_type=ContentType.objects.get_for_model(ExceptionCase),
        object_id="",
        object_repr=what[:200],
        action_flag=CHANGE,
        change_message=which[:4000],
    )
