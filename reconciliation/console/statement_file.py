"""The page of one statement file: its dry run while it waits, then its lines with what they were matched with."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from ledger import assets
from ledger.controls import clock
from ledger.controls.console import actor_of, attempt, trail
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.models import Move
from reconciliation.models import StatementFile, StatementLine, StatementMatch
from reconciliation.statements import importing, matching, trial
from reconciliation.statements.importing import Shown


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    """Show a file. Changes nothing: the dry run is rolled back."""
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    file = StatementFile.objects.select_related("source").filter(reference=reference).first()
    if file is None:
        raise Http404
    waits = file.state == StatementFile.State.RECEIVED
    found = trial.dry_run(file=file, now=clock.now()) if waits else None
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        **trail(file),
        "title": file.name,
        "file": file,
        "dry_run": found,
        "rows": [_shown(row) for row in found.rows] if found else [],
        "counts": [(kind, found.counts[kind]) for kind in ("new", "known", "wrong")] if found else [],
        "most": trial.MOST_SHOWN,
        "lines": [] if waits else _lines(file),
        "moves": Move.objects.filter(subject=reference).order_by("sequence"),
        "may_work": may(request.user, Ability.WORK_STATEMENTS),
    }
    return render(request, "console/statements/file.html", context)


@require_POST
def act(request: HttpRequest, reference: str, action: str) -> HttpResponse:
    """Import or discard a file and go back to its page; a refusal is a message there."""
    handler = _ACTIONS.get(action)
    if handler is None or not sees(request.user, Section.CLOSE):
        raise Http404
    attempt(request, lambda: handler(request, reference))
    return redirect("admin:statement-file", reference)


def _import(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.WORK_STATEMENTS)
    file = importing.take_in(reference=reference, actor=actor_of(request), now=clock.now())
    tally = matching.match_source(file.source)
    return (
        f"Imported: {file.new_lines} new, {file.known_lines} known. Of the source's open lines {tally.matched} were"
        f" matched now, {tally.unmatched} stand alone."
    )


def _discard(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.WORK_STATEMENTS)
    importing.discard(reference=reference, actor=actor_of(request), now=clock.now())
    return "Put aside: nothing was imported."


_ACTIONS: dict[str, Callable[[HttpRequest, str], str]] = {"import": _import, "discard": _discard}


def _shown(row: Shown) -> dict[str, Any]:
    line = row.line
    if line is None:
        return {"row": row, "amount": "", "ids": ""}
    ids = (line.our_key, line.our_reference, line.provider_reference, line.partner_order_id)
    return {
        "row": row,
        "line": line,
        "amount": f"{assets.text(line.amount_minor, line.asset)} {line.asset}",
        "ids": " · ".join(one for one in ids if one),
        "changes": [
            (name, *(_text(name, value, line.asset) for value in (before, now))) for name, before, now in row.changes
        ],
    }


def _text(name: str, value: str, asset: str) -> str:
    return assets.text(int(value), asset) if name == "amount_minor" and value else value or "nothing"


def _lines(file: StatementFile) -> list[dict[str, Any]]:
    lines = list(StatementLine.objects.filter(file=file).order_by("number")[: trial.MOST_SHOWN])
    standing = StatementMatch.objects.filter(line__in=lines, state=StatementMatch.State.STANDING)
    by_line = {match.line_id: match for match in standing}
    return [
        {
            "line": line,
            "amount": f"{assets.text(int(line.amount_minor), line.asset)} {line.asset}",
            "match": by_line.get(line.pk),
        }
        for line in lines
    ]
