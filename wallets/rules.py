"""Changing fee and limit rules: one person drafts and proposes, another activates, refuses or takes away (rule H1).
Whoever wrote or last changed a draft is no second person to it, whoever proposed it.

A version is effective at once when it is activated, and replaces the one of its code that stood; one that would not be in
force while that one would is refused, since nothing would price or limit in between: what holds for a time has a code of its
own, before the lasting one of the same name. What a version says is fixed once it is proposed, by a trigger. A rule that is
taken away without another in its place is proposed and approved like one that comes.
"""

from datetime import datetime
from typing import Final

from django.db import connection
from django.db import transaction as db_transaction

from ledger.controls import approvals, references
from ledger.controls.approvals import Approval, SelfApproval
from ledger.controls.moves import StaleVersion, Why
from ledger.controls.references import Prefix
from ledger.controls.refusals import Malformed, NotFound, Refusal
from wallets import rule_terms, rule_transitions
from wallets.rule_models import FeeRule, LimitRule
from wallets.rule_terms import FeeTerms, LimitTerms, Terms

KIND: Final = "rule"
RETIREMENT: Final = "rule_retirement"
_LOCK: Final = 744001
"""One change of a book's rules at a time."""

AnyRule = FeeRule | LimitRule


class NotADraft(Refusal):
    """Only a draft can be changed: what this version says is fixed."""

    code = "not_a_draft"
    status = 409


class NotAProposal(Refusal):
    """Nothing is proposed for this version: somebody decided meanwhile."""

    code = "not_a_proposal"
    status = 409


class NotActive(Refusal):
    """Only an active rule can be taken away."""

    code = "not_active"
    status = 409


class AlreadyProposed(Refusal):
    """It is proposed already: a second person decides."""

    code = "already_proposed"
    status = 409


class LeavesAGap(Refusal):
    """In the place of the version that stands nothing would be in force for a time."""

    code = "leaves_a_gap"
    status = 409


def draft(*, environment: str, code: str, terms: Terms, note: str, actor: str, now: datetime) -> AnyRule:
    """Write the next version of a rule, as a draft. Raises Malformed or ConditionRefused."""
    terms.check()
    with db_transaction.atomic():
        _one_at_a_time(environment)
        rule = _new(environment, rule_terms.checked_code(code), terms)
        rule.note, rule.made_by = _text(note), actor
        rule_transitions.draft(rule, why=Why(actor, "drafted"), now=now)
    return rule


def edit(*, reference: str, terms: Terms, note: str, actor: str, now: datetime) -> AnyRule:
    """Change what a draft says. Raises NotFound, NotADraft, Malformed or ConditionRefused."""
    terms.check()
    with db_transaction.atomic():
        rule = _locked(reference)
        if isinstance(rule, FeeRule) != isinstance(terms, FeeTerms):
            raise Malformed("These are the terms of another kind of rule.")
        if rule.state != FeeRule.State.DRAFT:
            raise NotADraft
        columns = {**terms.as_columns(), "note": _text(note), "edited_by": actor, "updated_at": now}
        type(rule)._default_manager.filter(pk=rule.pk).update(**columns)
    return named(reference)


def propose(*, reference: str, note: str, actor: str, now: datetime, seen: str | None = None) -> AnyRule:
    """Hand a draft to a second person. Raises NotFound, NotADraft, LeavesAGap, Malformed or ConditionRefused.

    `seen` is `seen_of` the draft that the actor looked at: raises StaleVersion when it was changed since.
    """
    _need_reason(note)
    with db_transaction.atomic():
        rule = _locked(reference)
        if rule.state != FeeRule.State.DRAFT:
            raise NotADraft
        if seen is not None and seen != seen_of(rule):
            raise StaleVersion(reference=reference)
        rule_terms.terms_of(rule).check()
        for one in rule.siblings().filter(state=FeeRule.State.ACTIVE):
            _need_no_gap(rule, instead_of=one, now=now)
        rule_transitions.propose(rule, why=Why(actor, note.strip()[:200]), now=now)
        _record(rule, kind=KIND, reason=note, actor=actor, now=now)
    return rule


def propose_retirement(*, reference: str, note: str, actor: str, now: datetime) -> AnyRule:
    """Ask that an active rule be taken away. Raises NotFound, NotActive, AlreadyProposed or Malformed."""
    _need_reason(note)
    with db_transaction.atomic():
        rule = _locked(reference)
        if rule.state != FeeRule.State.ACTIVE:
            raise NotActive
        if approvals.lock_open(subject=reference) is not None:
            raise AlreadyProposed
        _record(rule, kind=RETIREMENT, reason=note, actor=actor, now=now)
    return rule


def approve(*, reference: str, reason: str, actor: str, now: datetime) -> AnyRule:
    """Decide for what is proposed: the version is active, or is taken away, at once.

    Raises NotFound, NotAProposal, SelfApproval, OutdatedProposal, LeavesAGap, or what `propose` would.
    """
    with db_transaction.atomic():
        _one_at_a_time(named(reference).environment)
        rule = _locked(reference)
        approval = approvals.lock_open(subject=reference)
        if approval is None:
            raise NotAProposal
        approvals.approve(approval, checker=actor, reason=reason, subject_version=rule.version, now=now)
        why = Why(actor, reason.strip()[:200] or "approved")
        if approval.kind == RETIREMENT:
            rule_transitions.retire(rule, why=why, now=now)
        else:
            if wrote(rule, actor):
                raise SelfApproval("Who wrote or last changed a rule does not approve it.")
            rule_terms.terms_of(rule).check()
            replaced = list(rule.siblings().select_for_update().filter(state=FeeRule.State.ACTIVE))
            for one in replaced:
                _need_no_gap(rule, instead_of=one, now=now)
                _drop_retirement(one, actor=actor, now=now)
            rule_transitions.activate(rule, replaced=replaced, why=why, now=now)
    return rule


def refuse(*, reference: str, reason: str, actor: str, now: datetime) -> AnyRule:
    """Decide against what is proposed (or, as its maker, withdraw it). Raises NotFound or NotAProposal."""
    with db_transaction.atomic():
        rule = _locked(reference)
        approval = approvals.lock_open(subject=reference)
        if approval is None:
            raise NotAProposal
        approvals.refuse(approval, checker=actor, reason=reason, now=now)
        if approval.kind == KIND:
            rule_transitions.take_back(rule, why=Why(actor, reason.strip()[:200] or "refused"), now=now)
    return rule


def install(*, environment: str, code: str, terms: Terms, now: datetime) -> None:
    """Put a rule that comes with a release in force, unless some version of it exists: reference rows, made by nobody."""
    terms.check()
    with db_transaction.atomic():
        _one_at_a_time(environment)
        rule = _new(environment, rule_terms.checked_code(code), terms)
        if rule.number > 1:
            return
        why = Why("system", "comes with the release")
        rule.note, rule.made_by = why.cause, why.actor
        rule_transitions.draft(rule, why=why, now=now)
        rule_transitions.propose(rule, why=why, now=now)
        rule_transitions.activate(rule, replaced=[], why=why, now=now)


def named(reference: str) -> AnyRule:
    """Return the version of a reference. Raises NotFound."""
    found = FeeRule.objects.filter(reference=reference).first() or LimitRule.objects.filter(reference=reference).first()
    if found is None:
        raise NotFound("There is no such rule.")
    return found


def wrote(rule: AnyRule, actor: str) -> bool:
    """True for who wrote a version, or changed it last."""
    return actor in (rule.made_by, rule.edited_by)


def seen_of(rule: AnyRule) -> str:
    """Return what tells a draft from the same draft changed."""
    return rule.updated_at.isoformat()


def proposal_of(rule: AnyRule) -> Approval | None:
    """Return what is proposed for a version and not yet decided."""
    return approvals.open_of(subject=rule.reference)


def _new(environment: str, code: str, terms: Terms) -> AnyRule:
    """Return the unsaved version after the last one of its code."""
    rule: AnyRule
    columns = {**terms.as_columns(), "environment": environment, "code": code}
    if isinstance(terms, LimitTerms):
        rule = LimitRule(reference=references.new(Prefix.LIMIT_RULE), **columns)
    else:
        rule = FeeRule(reference=references.new(Prefix.FEE_RULE), **columns)
    rule.number = (rule.siblings().order_by("-number").values_list("number", flat=True).first() or 0) + 1
    return rule


def _locked(reference: str) -> AnyRule:
    rule = named(reference)
    model: type[FeeRule] | type[LimitRule] = type(rule)
    return model._default_manager.select_for_update().get(pk=rule.pk)


def _record(rule: AnyRule, *, kind: str, reason: str, actor: str, now: datetime) -> None:
    approvals.propose(
        environment=rule.environment,
        kind=kind,
        subject=rule.reference,
        subject_version=rule.version,
        content={"machine": rule.MACHINE, "code": rule.code, "number": rule.number},
        reason=_text(reason),
        maker=actor,
        now=now,
    )


def _need_no_gap(rule: AnyRule, *, instead_of: AnyRule, now: datetime) -> None:
    """Raise LeavesAGap when there is a time at which the version that stands would be in force, and this one is not."""
    begins = max(now, instead_of.valid_from or now)
    ends = instead_of.valid_until
    if ends is not None and ends <= begins:
        return
    late = rule.valid_from if rule.valid_from is not None and rule.valid_from > begins else None
    early = rule.valid_until if rule.valid_until is not None and (ends is None or rule.valid_until < ends) else None
    if late is None and early is None:
        return
    when = f"until {late:%Y-%m-%d %H:%M} UTC" if late is not None else f"from {early:%Y-%m-%d %H:%M} UTC"
    raise LeavesAGap(
        f"{instead_of.code} v{instead_of.number} stands, and would be replaced at once: nothing would be in force {when}."
        f" What holds for a time needs a code of its own with the name {rule.name!r} and a priority below"
        f" {instead_of.priority}; the lasting rule stays as it is."
    )


def _drop_retirement(rule: AnyRule, *, actor: str, now: datetime) -> None:
    """A rule that is replaced needs not be taken away any more."""
    approval = approvals.lock_open(subject=rule.reference)
    if approval is not None:
        approvals.refuse(approval, checker=actor, reason="replaced meanwhile", now=now)


def _one_at_a_time(environment: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK, environment])


def _need_reason(note: str) -> None:
    if not note.strip():
        raise Malformed("A reason is needed.")


def _text(note: str) -> str:
    return note.strip()[:500]
