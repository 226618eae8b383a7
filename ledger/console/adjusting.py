"""Adjustments and settlements in the console: previewed and proposed by one person, approved by another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import transaction as db_transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from ledger import accounts, adjustments, assets, balances, direct_posting, journal, revaluation
from ledger.books import number_of
from ledger.console import filters
from ledger.controls import clock, references
from ledger.controls.console import actor_of, attempt
from ledger.controls.refusals import Malformed, Refusal
from ledger.controls.roles import Ability, Section, may, need, sees
from ledger.drafts import Draft, Posting
from ledger.environments import Environment
from ledger.models import Approval, Book, Transaction
from ledger.money import InvalidAmount, Money, parse

_SHOWN: Final = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """An event type's form: its accounts and its amounts, each (name, label). An amount left empty is not given; where there
    are rates instead, the amount is computed.
    """

    event_type: str
    title: str
    accounts: Sequence[tuple[str, str]]
    amounts: Sequence[tuple[str, str]] = ()
    rates: Sequence[tuple[str, str]] = ()


KINDS: Final = {
    "adjustment": Kind(
        "MANUAL_ADJUSTMENT",
        "Adjustment",
        (("debit", "Debited account"), ("credit", "Credited account")),
        (("amount", "Amount"),),
    ),
    "settlement": Kind(
        "OPERATOR_SETTLEMENT",
        "Operator settlement",
        (("bank", "Bank account (bank:…)"), ("due", "Operator's account (operators:…:due)")),
        (("received", "The operator paid us"), ("paid", "We paid the operator")),
    ),
    "opening": Kind(
        "OPENING_BALANCE",
        "Opening balance",
        (("world", "From outside of the book (@world)"), ("account", "Account that opens with it")),
        (("amount", "Amount"),),
    ),
    "funding": Kind(
        "POOL_FUNDING",
        "Funding of a pool or maker",
        (("world", "From (@world, bank:… or makers:…)"), ("pool", "Pool, venue or maker that is filled")),
        (("amount", "Amount"),),
    ),
    "revaluation": Kind(
        "FX_REVALUATION",
        "Revaluation of an open exchange position, in the reporting asset",
        (("fx", "Exchange account (fx:USD)"),),
        rates=(("rate_before", "Rate it stands at"), ("rate_now", "Rate now")),
    ),
}


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest) -> HttpResponse:
    """Show the proposals; a POST previews one, or proposes what was previewed."""
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    shown: dict[str, Any] = {}
    if request.method == "POST":
        shown = _previewed(request)
        if shown and request.POST.get("act") == "propose":
            made: list[str] = []
            if attempt(request, lambda: _propose(request, shown["draft"], made)):
                return redirect("admin:adjustment", made[0])
    proposals = Approval.objects.filter(kind=adjustments.KIND).order_by("-id")[:_SHOWN]
    kind = request.POST.get("kind", "adjustment")
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": "Adjustments and settlements",
        "kinds": [
            {"name": name, "kind": one, "fields": _filled(request, one, chosen=name == kind)}
            for name, one in KINDS.items()
        ],
        "environments": Environment.values,
        "assets": filters.asset_codes(),
        "chosen": kind,
        "asset": request.POST.get("asset") or Book.objects.values_list("reporting_asset_id", flat=True).first(),
        "key": request.POST.get("key") or f"adjustment:{references.new(references.Prefix.APPROVAL)}",
        "given": request.POST,
        "preview": shown.get("postings"),
        "computed": shown["draft"].metadata if shown else {},
        "may_propose": may(request.user, Ability.PROPOSE_POSTINGS),
        "proposals": [{"row": row, "postings": _kept_postings(row)} for row in proposals],
    }
    return render(request, "console/ledger/adjustments.html", context)


@require_http_methods(["GET"])
def one(request: HttpRequest, reference: str) -> HttpResponse:
    """Show a proposal with its postings, and the balances that it would change."""
    if not sees(request.user, Section.LEDGER):
        raise PermissionDenied
    proposal = Approval.objects.filter(reference=reference, kind=adjustments.KIND).first()
    if proposal is None:
        raise Http404
    draft = adjustments.draft_of(proposal)
    is_open = proposal.decision == Approval.Decision.PROPOSED
    posted = Transaction.objects.filter(
        book_id=number_of(proposal.environment), key=draft.key, refs__approval=proposal.reference
    ).first()
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": f"{draft.event_type} {proposal.reference}",
        "proposal": proposal,
        "draft": draft,
        "postings": _kept_postings(proposal),
        "effects": _effects(proposal) if is_open else [],
        "is_open": is_open,
        "posted": posted,
        "is_maker": proposal.maker == actor_of(request),
        "may_approve": may(request.user, Ability.APPROVE_POSTINGS),
        "may_refuse": may(request.user, Ability.PROPOSE_POSTINGS),
    }
    return render(request, "console/ledger/adjustment.html", context)


@require_POST
def decide(request: HttpRequest, reference: str, decision: str) -> HttpResponse:
    """Approve or refuse a proposal and go back to its page; a refusal is a message there."""
    if decision not in ("approve", "refuse"):
        raise Http404
    attempt(request, lambda: _decide(request, reference, decision))
    return redirect("admin:adjustment", reference)


def _decide(request: HttpRequest, reference: str, decision: str) -> str:
    reason, now = request.POST.get("reason", "")[:1000], clock.now()
    need(request.user, Ability.APPROVE_POSTINGS if decision == "approve" else Ability.PROPOSE_POSTINGS)
    with db_transaction.atomic():
        if decision == "approve":
            adjustments.approve(reference=reference, reason=reason, checker=actor_of(request), now=now)
        else:
            adjustments.refuse(reference=reference, reason=reason, checker=actor_of(request), now=now)
        _log(request, reference, f"{decision}d", reason)
    return "Approved and posted." if decision == "approve" else "The proposal is off; nothing was posted."


def _propose(request: HttpRequest, draft: Draft, made: list[str]) -> str:
    reason = request.POST.get("reason", "")[:1000]
    with db_transaction.atomic():
        if draft.event_type == revaluation.EVENT_TYPE:
            _open_position(request, draft)
        proposal = adjustments.propose(
            environment=_environment(request), draft=draft, reason=reason, maker=actor_of(request), now=clock.now()
        )
        _log(request, proposal.reference, "proposed", reason)
    made.append(proposal.reference)
    return "Proposed: a second person has to approve it."


def _open_position(request: HttpRequest, draft: Draft) -> None:
    """A position is kept in its own asset; what it gains or loses stands beside it in the reporting asset."""
    (amount,) = draft.amounts.values()
    accounts.open_accounts(
        environment=_environment(request),
        openings=[
            accounts.Opening(draft.accounts["fx"], amount.asset, accounts.FX),
            accounts.Opening(accounts.FX_RESULT, amount.asset, accounts.FX_RESULT_KIND),
        ],
    )


def _previewed(request: HttpRequest) -> dict[str, Any]:
    """Return the draft that the form asks for with its postings, or nothing when that was refused (and told)."""
    try:
        need(request.user, Ability.PROPOSE_POSTINGS)
        draft, environment = _draft(request), _environment(request)
        direct_posting.check(environment=environment, drafts=[draft])
        return {"draft": draft, "postings": _told(journal.postings_of(draft, environment=environment))}
    except Refusal as refusal:
        messages.error(request, refusal.message)
        return {}


def _draft(request: HttpRequest) -> Draft:
    kind = KINDS.get(request.POST.get("kind", ""))
    if kind is None:
        raise Malformed("There is no such form.")
    if kind.rates:
        return revaluation.draft(
            environment=_environment(request),
            account=request.POST.get("fx", "").strip().replace("\x00", ""),
            rate_before=request.POST.get("rate_before", "").strip(),
            rate_now=request.POST.get("rate_now", "").strip(),
            key=_key(request),
            effective_at=_instant(request.POST.get("effective_at", "").strip()),
        )
    asset = assets.named(request.POST.get("asset", "").replace("\x00", ""))
    amounts: dict[str, Money] = {}
    for name, label in kind.amounts:
        text = request.POST.get(name, "").strip()
        if text:
            try:
                amounts[name] = parse(text, asset)
            except InvalidAmount as error:
                raise Malformed(f"{label}: {error}") from error
    if not any(amount.minor for amount in amounts.values()):
        raise Malformed("An amount of more than zero is needed.")
    return Draft(
        event_type=kind.event_type,
        key=_key(request),
        subject="",
        amounts=amounts,
        accounts={name: request.POST.get(name, "").strip().replace("\x00", "") for name, _ in kind.accounts},
        effective_at=_instant(request.POST.get("effective_at", "").strip()),
    )


def _key(request: HttpRequest) -> str:
    key = request.POST.get("key", "")
    if not (key.startswith("adjustment:") and key.isascii() and len(key) < 60 and key.isprintable()):
        raise Malformed("The form is outdated; open it again.")
    return key


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Malformed("The effective time is YYYY-MM-DDTHH:MM:SSZ.") from error
    if instant.tzinfo is None or not 2000 <= instant.year <= 2200:
        raise Malformed("The effective time is YYYY-MM-DDTHH:MM:SSZ, between 2000 and 2200.")
    return instant.astimezone(UTC)  # the database knows no offset of 16 hours


def _environment(request: HttpRequest) -> str:
    chosen = request.POST.get("environment", "")
    if chosen not in Environment.values:
        raise Malformed("There is no such environment.")
    return chosen


def _filled(request: HttpRequest, kind: Kind, *, chosen: bool) -> list[dict[str, str]]:
    return [
        {"name": name, "label": label, "value": request.POST.get(name, "") if chosen else ""}
        for name, label in (*kind.accounts, *kind.amounts, *kind.rates)
    ]


def _told(postings: Sequence[Posting]) -> list[dict[str, str]]:
    return [
        {
            "debit": posting.debit,
            "credit": posting.credit,
            "amount": f"{assets.text(posting.amount.minor, posting.amount.asset)} {posting.amount.asset}",
            "asset": posting.amount.asset,
        }
        for posting in postings
    ]


def _kept_postings(proposal: Approval) -> list[dict[str, str]]:
    kept: Sequence[Mapping[str, str]] = proposal.content["postings"]
    return _told([Posting(one["debit"], one["credit"], Money(int(one["minor"]), one["asset"])) for one in kept])


def _effects(proposal: Approval) -> list[dict[str, str]]:
    """Return each account's posted balance now and as it would be."""
    change: dict[tuple[str, str], int] = {}
    for one in proposal.content["postings"]:
        for side, sign in (("debit", -1), ("credit", 1)):
            place = (one[side], one["asset"])
            change[place] = change.get(place, 0) + sign * int(one["minor"])
    found = balances.read(environment=proposal.environment, accounts=sorted(change))
    return [
        {
            "address": address,
            "asset": asset,
            "now": assets.text(now.posted, asset),
            "then": assets.text(now.posted + (change[place] if now.normal_side == "credit" else -change[place]), asset),
        }
        for place, now in sorted(found.items())
        for address, asset in [place]
    ]


def _log(request: HttpRequest, reference: str, what: str, reason: str) -> None:
    LogEntry.objects.create(
        user_id=int(request.user.pk or 0),
        content_type=ContentType.objects.get_for_model(Approval),
        object_id=reference,
        object_repr=f"{reference} {what}"[:200],
        action_flag=ADDITION if what == "proposed" else CHANGE,
        change_message=reason[:500],
    )
