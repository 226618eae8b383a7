"""The rule editor: what stands, what waits, and one version's page with its draft, its dry run and what may be done.

One person drafts, tries and proposes; another approves: effective at once. Every change is a POST of one operation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ledger import assets
from ledger.controls import clock
from ledger.controls.approvals import Approval
from ledger.controls.console import actor_of, amount, attempt
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.environments import Environment
from ledger.models import Move
from reconciliation import rule_trials
from reconciliation.console import rule_form
from reconciliation.console.event_types import environment_of
from wallets import conditions, rule_terms, rules
from wallets.models import FeeRule, LimitRule, Operator, RuleFailure
from wallets.pricing import ANY_FLOW
from wallets.rules import AnyRule

_SHOWN: Final = 100
_KINDS: Final = {"fee": FeeRule.MACHINE, "limit": LimitRule.MACHINE}
State = FeeRule.State


@dataclass(frozen=True, slots=True)
class Button:
    """Something that may be done with a version; `why_not` says why it cannot be now."""

    action: str
    title: str
    about: str
    why_not: str


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show the rules of a book: what waits for a second person, what stands, drafts, and what failed."""
    if not sees(request.user, Section.RULES):
        raise PermissionDenied
    environment = environment_of(request)
    fees = list(FeeRule.objects.filter(environment=environment).order_by("flow", "asset", "code", "-number"))
    caps = list(LimitRule.objects.filter(environment=environment).order_by("flow", "asset", "code", "-number"))
    everything: list[AnyRule] = [*fees, *caps]
    waiting = set(
        Approval.objects.filter(
            environment=environment, kind__in=[rules.KIND, rules.RETIREMENT], decision=Approval.Decision.PROPOSED
        ).values_list("subject", flat=True)
    )
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"Fees and limits ({environment})",
        "environment": environment,
        "environments": Environment.values,
        "waiting": [rule for rule in everything if rule.reference in waiting],
        "fees": [_row(rule) for rule in fees if rule.state == State.ACTIVE],
        "limits": [_row(rule) for rule in caps if rule.state == State.ACTIVE],
        "drafts": [rule for rule in everything if rule.state == State.DRAFT][:_SHOWN],
        "retired": [rule for rule in everything if rule.state == State.RETIRED][:_SHOWN],
        "failures": RuleFailure.objects.filter(environment=environment).order_by("-last_at")[:20],
        "may_propose": may(request.user, Ability.PROPOSE_RULES),
    }
    return render(request, "console/rules.html", context)


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, environment: str, kind: str) -> HttpResponse:
    """Draft a version: of a new rule, or (`?after=`) of one that there is, beginning with what that says."""
    if not sees(request.user, Section.RULES):
        raise PermissionDenied
    if environment not in Environment.values or kind not in _KINDS:
        raise Http404
    before = rules.named(request.GET["after"]) if _names_a_rule(request.GET.get("after", "")) else None
    if before is not None and (_KINDS[kind] != before.MACHINE or before.environment != environment):
        raise Http404
    fields = {**rule_form.written(before), "code": before.code} if before else {"priority": "100", "phase": "POST"}
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        fields = _form(request)
        try:
            need(request.user, Ability.PROPOSE_RULES)
            rule = rules.draft(
                environment=environment,
                code=fields.get("code", ""),
                terms=rule_form.read(_KINDS[kind], fields),
                note=fields.get("note", ""),
                actor=actor_of(request),
                now=clock.now(),
            )
            messages.success(request, f"{rule.code} version {rule.number} is a draft: try it, then propose it.")
            return redirect("admin:rule", rule.reference)
        except Refusal as refusal:
            messages.error(request, refusal.message)
            errors = refusal.errors
    context = {
        **admin.site.each_context(request),
        "title": f"Draft a {kind} rule ({environment})",
        "environment": environment,
        "before": before,
        "may_propose": may(request.user, Ability.PROPOSE_RULES),
        **_form_context(kind, fields, errors),
    }
    return render(request, "console/rule_new.html", context)


@require_http_methods(["GET", "POST"])
def one(request: HttpRequest, reference: str) -> HttpResponse:
    """Show a version. A POST changes a draft; `?try=1` runs it over the last payments. Neither posts anything."""
    if not sees(request.user, Section.RULES):
        raise PermissionDenied
    rule = _found(reference)
    kind = "limit" if isinstance(rule, LimitRule) else "fee"
    fields, errors = rule_form.written(rule), {}
    if request.method == "POST":
        fields = _form(request)
        try:
            need(request.user, Ability.PROPOSE_RULES)
            rules.edit(
                reference=reference,
                terms=rule_form.read(_KINDS[kind], fields),
                note=fields.get("note", ""),
                actor=actor_of(request),
                now=clock.now(),
            )
            messages.success(request, "The draft is changed.")
            return redirect("admin:rule", reference)
        except Refusal as refusal:
            messages.error(request, refusal.message)
            errors = refusal.errors
    standing = _standing(rule)
    proposal = rules.proposal_of(rule)
    context = {
        **admin.site.each_context(request),
        "title": f"{rule.code} version {rule.number}",
        "rule": rule,
        "seen": rules.seen_of(rule),
        "kind": kind,
        "environment": rule.environment,
        "lines": _lines(standing, rule),
        "standing": standing,
        "proposal": proposal,
        "retirement": proposal is not None and proposal.kind == rules.RETIREMENT,
        "is_maker": proposal is not None and proposal.maker == actor_of(request),
        "buttons": _buttons(request, rule, proposal),
        "trial": _trial(rule) if request.GET.get("try") else None,
        "most": rule_trials.MOST,
        "editable": rule.state == State.DRAFT and may(request.user, Ability.PROPOSE_RULES),
        "note": fields.get("note", rule.note),
        "versions": rule.siblings().order_by("-number")[:_SHOWN],
        "moves": Move.objects.filter(subject=reference).order_by("sequence"),
        "approvals": Approval.objects.filter(subject=reference).order_by("id"),
        **_form_context(kind, fields, errors),
    }
    return render(request, "console/rule.html", context)


@require_POST
def act(request: HttpRequest, reference: str, action: str) -> HttpResponse:
    """Propose, approve, refuse or take away, and go back to the page; a refusal is a message there."""
    handler = _ACTIONS.get(action)
    if handler is None or not sees(request.user, Section.RULES):
        raise Http404
    attempt(request, lambda: handler(request, reference))
    return redirect("admin:rule", reference)


def _propose(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.PROPOSE_RULES)
    rules.propose(
        reference=reference,
        note=_reason(request),
        actor=actor_of(request),
        now=clock.now(),
        seen=request.POST.get("seen", ""),
    )
    return "Proposed: a second person has to approve it."


def _retire(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.PROPOSE_RULES)
    rules.propose_retirement(reference=reference, note=_reason(request), actor=actor_of(request), now=clock.now())
    return "Proposed: a second person has to approve that it goes. It stands until then."


def _approve(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.ACTIVATE_RULES)
    rule = rules.approve(reference=reference, reason=_reason(request), actor=actor_of(request), now=clock.now())
    return f"{rule.code} version {rule.number} is {rule.state}, at once."


def _refuse(request: HttpRequest, reference: str) -> str:
    need(request.user, Ability.PROPOSE_RULES)
    proposal = rules.proposal_of(_found(reference))
    if proposal is not None and proposal.maker != actor_of(request):
        need(request.user, Ability.ACTIVATE_RULES)
    rules.refuse(reference=reference, reason=_reason(request), actor=actor_of(request), now=clock.now())
    return "The proposal is off: nothing has changed."


_ACTIONS: Final[dict[str, Callable[[HttpRequest, str], str]]] = {
    "propose": _propose,
    "approve": _approve,
    "refuse": _refuse,
    "retire": _retire,
}


def _buttons(request: HttpRequest, rule: AnyRule, proposal: Approval | None) -> list[Button]:
    """Return everything that may be done with a version, each with why it cannot be done now, if so."""
    proposes = "" if may(request.user, Ability.PROPOSE_RULES) else f"Your role may not {Ability.PROPOSE_RULES}."
    activates = "" if may(request.user, Ability.ACTIVATE_RULES) else f"Your role may not {Ability.ACTIVATE_RULES}."
    nothing = "" if proposal else "Nothing is proposed."
    own = "You proposed it: somebody else has to decide." if _is_makers(request, proposal) else ""
    if not own and proposal is not None and proposal.kind == rules.KIND and rules.wrote(rule, actor_of(request)):
        own = "You wrote or last changed it: somebody else has to decide."
    drafted = "" if rule.state == State.DRAFT else f"It is {rule.state}, not a draft."
    stands = "" if rule.state == State.ACTIVE else f"It is {rule.state}, not active."
    asked = "That is proposed already." if rule.state == State.ACTIVE and proposal else ""
    refusing = proposes or nothing or ("" if _is_makers(request, proposal) else activates)
    withdraw = "Withdraw" if _is_makers(request, proposal) else "Refuse"
    return [
        Button(
            "propose", "Propose", "Hands it to a second person; from then on it cannot be changed.", drafted or proposes
        ),
        Button("approve", "Approve", "Effective at once, without deployment.", nothing or own or activates),
        Button("refuse", withdraw, "Nothing changes.", refusing),
        Button("retire", "Take away", "Asks that nothing stands in its place.", stands or asked or proposes),
    ]


def _is_makers(request: HttpRequest, proposal: Approval | None) -> bool:
    return proposal is not None and proposal.maker == actor_of(request)


def _trial(rule: AnyRule) -> dict[str, Any]:
    """Return the dry run as the page shows it: money as text."""
    if isinstance(rule, LimitRule):
        tried = rule_trials.try_limit(rule, now=clock.now())
        return {
            "lines": [
                {"line": line, "amount": _money(line.payment.amount), "used": _money(line.used)} for line in tried.lines
            ],
            "count": len(tried.lines),
            "changed": tried.changed,
            "refused": _money(tried.refused),
            "allowed": _money(tried.allowed),
        }
    fee = rule_trials.try_fee(rule, now=clock.now())
    return {
        "lines": [
            {
                "line": line,
                "amount": _money(line.payment.amount),
                "charged": _money(line.payment.charged),
                "before": _money(line.before),
                "after": _money(line.after),
                "difference": _signed(line.difference),
            }
            for line in fee.lines
        ],
        "count": len(fee.lines),
        "changed": fee.changed,
        "before": _money(fee.before),
        "after": _money(fee.after),
        "difference": _signed(fee.difference),
        "refused": fee.refused,
    }


def _money(value: Any) -> str:
    return "refused" if value is None else amount(value.minor, value.asset)


def _signed(value: Any) -> str:
    if value is None:
        return "–"
    return ("+" if value.minor > 0 else "") + amount(value.minor, value.asset)


def _row(rule: AnyRule) -> dict[str, Any]:
    return {"rule": rule, "fields": rule_form.written(rule)}


def _lines(before: AnyRule | None, rule: AnyRule) -> list[dict[str, str | bool]]:
    """Return what a version says beside what stands, field by field."""
    old = rule_form.written(before) if before else {}
    return [
        {
            "name": name.replace("_", " "),
            "before": old.get(name, ""),
            "after": text,
            "changed": old.get(name, "") != text,
        }
        for name, text in rule_form.written(rule).items()
    ]


def _standing(rule: AnyRule) -> AnyRule | None:
    """Return what stands beside a version, or for one that has stood itself the one before it."""
    same = rule.siblings().exclude(pk=rule.pk)
    if rule.state in (State.DRAFT, State.PROPOSED):
        found: AnyRule | None = same.filter(state=State.ACTIVE).first()
    else:
        found = same.filter(number__lt=rule.number, activated_at__isnull=False).order_by("-number").first()
    return found


def _form_context(kind: str, fields: dict[str, str], errors: dict[str, list[str]]) -> dict[str, Any]:
    flows = rule_terms.FLOWS if kind == "fee" else (ANY_FLOW, *rule_terms.PRE_FLOWS)
    return {
        "kind": kind,
        "fields": fields,
        "errors": {name: " ".join(told) for name, told in errors.items()},
        "choices": {
            "flow": flows,
            "channel": ("", *rule_terms.CHANNELS, *(rule_terms.channels_of_pay_ins() if kind == "fee" else ())),
            "asset": sorted(assets.codes()),
            "operator": [rule_form.EVERY_OPERATOR, *Operator.objects.order_by("slug").values_list("slug", flat=True)],
            "phase": FeeRule.Phase.values,
            "scope": LimitRule.Scope.values,
            "period": LimitRule.Period.values,
        },
        "facts": ", ".join(sorted(conditions.FACTS)),
    }


def _form(request: HttpRequest) -> dict[str, str]:
    return {name: str(value)[:4000] for name, value in request.POST.items()}


def _names_a_rule(reference: str) -> bool:
    try:
        return bool(reference) and bool(rules.named(reference))
    except Refusal as refusal:
        raise Http404 from refusal


def _found(reference: str) -> AnyRule:
    try:
        return rules.named(reference)
    except Refusal as refusal:
        raise Http404 from refusal


def _reason(request: HttpRequest) -> str:
    reason = request.POST.get("reason", "").strip()
    if not reason:
        raise Malformed("A reason is needed.")
    return reason[:200]
