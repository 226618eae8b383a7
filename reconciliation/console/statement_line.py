"""The page of one statement line: what it says, what our book has, and its match, made or undone by hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from ledger import assets, periods
from ledger.controls import clock
from ledger.controls.console import actor_of, attempt, trail
from ledger.controls.refusals import Malformed
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.models import Move
from reconciliation.models import ExceptionCase, StatementLine, StatementMatch
from reconciliation.statements import candidates, matches, proofs
from reconciliation.statements.candidates import Candidate
from reconciliation.statements.line import IDS
from reconciliation.statements.pairing import contradicted, naming_rule

_MOST_CANDIDATES = 50
_LABELS: Mapping[str, str] = {kind: str(StatementMatch.Rule(kind).label) for kind in IDS}


@require_GET
def page(request: HttpRequest, reference: str) -> HttpResponse:
    """Show a line with everything in our book that its ids name, or that has its amount near its date."""
    if not sees(request.user, Section.CLOSE):
        raise PermissionDenied
    line = (
        StatementLine.objects.select_related("source", "file")
        .defer("file__content")
        .filter(reference=reference)
        .first()
    )
    if line is None:
        raise Http404
    made = list(StatementMatch.objects.filter(line=line).order_by("-pk"))
    standing = [match for match in reversed(made) if match.state == StatementMatch.State.STANDING]
    locked = periods.is_locked(line.environment, line.business_date)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        **trail(line),
        "title": f"Statement line {line.line_id}",
        "line": line,
        "amount": f"{assets.text(int(line.amount_minor), line.asset)} {line.asset}",
        "direction": "in" if line.amount_minor > 0 else "out",
        "ids": [(label, getattr(line, kind)) for kind, label in _LABELS.items() if getattr(line, kind)],
        "standing": standing,
        "locked": locked,
        "found": [] if standing else _candidates(line),
        "proves": proofs.proven_by(line),
        "case": ExceptionCase.objects.filter(environment=line.environment, subject=reference).first(),
        "moves": Move.objects.filter(subject__in=[match.reference for match in made]).order_by("id"),
        "may_work": may(request.user, Ability.WORK_STATEMENTS) and not locked,
    }
    return render(request, "console/statements/line.html", context)


@require_POST
def act(request: HttpRequest, reference: str, action: str) -> HttpResponse:
    """Match or unmatch and go back to the line's page; a refusal is a message there."""
    handler = _ACTIONS.get(action)
    if handler is None or not sees(request.user, Section.CLOSE):
        raise Http404
    attempt(request, lambda: handler(request, reference))
    return redirect("admin:statement-line", reference)


def _match(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.WORK_STATEMENTS)
    try:
        chosen = [UUID(one) for one in request.POST.getlist("transaction")[: matches.MOST_IN_BATCH + 1]]
    except ValueError as error:
        raise Malformed("Name each transaction by its id.") from error
    made = matches.match(
        line_reference=reference,
        transaction_ids=chosen,
        reason=request.POST.get("reason", ""),
        actor=actor_of(request),
        now=clock.now(),
    )
    return f"Matched with {_named(made)}."


def _prove(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.WORK_STATEMENTS)
    proved = proofs.prove(line_reference=reference, actor=actor_of(request), now=clock.now())
    return f"Stored: {proved.key} happened. What follows from it is decided where it is reviewed."


def _undo(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.WORK_STATEMENTS)
    undone = matches.undo(
        line_reference=reference, reason=request.POST.get("reason", ""), actor=actor_of(request), now=clock.now()
    )
    return f"No longer matched with {_named(undone)}."


def _named(found: Sequence[StatementMatch]) -> str:
    return found[0].transaction_key if len(found) == 1 else f"{len(found)} transactions"


_ACTIONS: dict[str, Callable[[HttpRequest, str], str]] = {"match": _match, "unmatch": _undo, "prove": _prove}


def _candidates(line: StatementLine) -> list[dict[str, Any]]:
    """Named ones first; of the others those of its asset near its date, first those that have its amount."""
    taken = set(
        StatementMatch.objects.filter(source=line.source, state=StatementMatch.State.STANDING).values_list(
            "transaction_id", flat=True
        )
    )
    window = timedelta(days=line.source.date_window_days)
    shown = [
        _shown(line, one, taken=one.transaction_id in taken)
        for one in candidates.around(line=line)
        if naming_rule(line, one) is not StatementMatch.Rule.AMOUNT_AND_DATE
        or (one.asset == line.asset and abs(one.on_date - line.booked_on) <= window)
    ]
    shown.sort(key=lambda one: (not one["named"], not one["equal"]))
    return shown[:_MOST_CANDIDATES]


def _shown(line: StatementLine, one: Candidate, *, taken: bool) -> dict[str, Any]:
    rule = naming_rule(line, one)
    named, equal = rule is not StatementMatch.Rule.AMOUNT_AND_DATE, _equal(line, one)
    return {
        "candidate": one,
        "amount": f"{assets.text(one.amount_minor, one.asset)} {one.asset}",
        "named": named,
        "rule": rule.label if named or equal else "near its date, of another amount",
        "equal": equal,
        "fits": one.asset == line.asset,
        "taken": taken,
        "against": ", ".join(_LABELS[kind] for kind in contradicted(line, one)),
    }


def _equal(line: StatementLine, one: Candidate) -> bool:
    return (line.asset, int(line.amount_minor)) == (one.asset, one.amount_minor)
