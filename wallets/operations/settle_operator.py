"""The net settlement of what an operator and we owe each other, as a statement of theirs closed.

1 the statement's date is over; what it closed with, less what was settled since, is what is to be settled
2 one person proposes it with the bank it went through; nothing is posted
3 another person approves: the sums are looked at again, and when they have moved the proposal is outdated
4 OPERATOR_SETTLEMENT is posted under a key of the statement and asset: never twice
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger import accounts, direct_posting, journal
from ledger.controls import approvals
from ledger.controls.approvals import Approval
from ledger.controls.refusals import NotFound, Refusal
from ledger.drafts import Draft, Posting
from ledger.money import Money
from ledger.reports import account_days
from ledger.reports.account_days import AccountDay, AssetDay
from wallets.models import Operator

KIND: Final = "operator_settlement"
EVENT_TYPE: Final = "OPERATOR_SETTLEMENT"
_VERSION: Final = 1  # a proposal's content says what it decides; approving compares it with what stands then


class DateNotOver(Refusal):
    """This date is not over: its statement may yet change."""

    code = "date_not_over"
    status = 409


class NothingToSettle(Refusal):
    """Nothing is owed by this statement, or it was settled since."""

    code = "nothing_to_settle"
    status = 409


class SettledAlready(Refusal):
    """This statement, or a later one, is settled."""

    code = "settled_already"
    status = 409


class SettlementProposed(Refusal):
    """A settlement with this operator in this asset waits for a decision."""

    code = "settlement_proposed"
    status = 409


class ReasonMissing(Refusal):
    """A settlement, and a decision about it, need a reason."""

    code = "reason_missing"


@dataclass(frozen=True, slots=True)
class Owed:
    """What a statement comes to in one asset, in minor units: positive is owed to us, negative is owed by us.

    `settled_since` is what settlements of after the date moved, `outstanding` what is left to settle.
    """

    asset: str
    closing: int
    settled_since: int

    @property
    def outstanding(self) -> int:
        return self.closing + self.settled_since


def statement_days(
    *, operators: Sequence[Operator], environment: str, business_date: date
) -> Sequence[tuple[Operator, AccountDay]]:
    """Return each operator with its account over a date."""
    addresses = [accounts.operator_due(operator.slug) for operator in operators]
    found = account_days.days(environment=environment, addresses=addresses, business_date=business_date)
    return [(operator, found[address]) for operator, address in zip(operators, addresses, strict=True)]


def statement_day(*, operator: Operator, environment: str, business_date: date) -> AccountDay:
    """Return an operator's account over a date."""
    [(_, found)] = statement_days(operators=[operator], environment=environment, business_date=business_date)
    return found


def owed(found: AssetDay) -> Owed:
    """Return what is left to settle of a date's closing balance."""
    since = sum(one.net for one in found.after if one.event_type == EVENT_TYPE)
    return Owed(found.asset, found.closing, since)


def statement_reference(*, operator: Operator, business_date: date) -> str:
    """Name an operator's statement of a date: what its settlement and the transfer's text refer to."""
    return f"statement:{operator.slug}:{business_date.isoformat()}"


def propose_settlement(
    *,
    environment: str,
    operator_slug: str,
    business_date: date,
    asset: str,
    bank: str,
    reason: str,
    maker: str,
    now: datetime,
) -> Approval:
    """Propose to settle a statement through a bank account. Nothing is posted.

    Raises NotFound, DateNotOver, NothingToSettle, SettledAlready, SettlementProposed, ReasonMissing, or what the write
    door and `direct_posting.check_accounts` refuse.
    """
    _need_reason(reason)
    operator = _operator(operator_slug)
    sums = _sums(operator, environment, business_date, asset, now)
    if sums.outstanding == 0:
        raise NothingToSettle
    content = {
        "operator": operator.reference,
        "operator_slug": operator.slug,
        "business_date": business_date.isoformat(),
        "asset": asset,
        "bank": bank,
        "closing_minor": str(sums.closing),
        "settled_since_minor": str(sums.settled_since),
        "outstanding_minor": str(sums.outstanding),
        "statement": statement_reference(operator=operator, business_date=business_date),
    }
    draft = draft_of(content)
    direct_posting.check_accounts(environment=environment, drafts=[draft])
    _try_out(environment, draft, now)
    try:
        with db_transaction.atomic():
            return approvals.propose(
                environment=environment,
                kind=KIND,
                subject=_subject(environment, operator.slug, asset),
                subject_version=_VERSION,
                content=content,
                reason=reason.strip(),
                maker=maker,
                now=now,
            )
    except IntegrityError as error:
        raise SettlementProposed from error


def approve_settlement(*, reference: str, reason: str, checker: str, now: datetime) -> journal.Result:
    """Approve another person's proposal and post it, in one transaction.

    Raises NotFound, approvals.SelfApproval, approvals.AlreadyDecided, approvals.OutdatedProposal when the sums have
    moved since, SettledAlready or journal.PostingRefused.
    """
    _need_reason(reason)
    with db_transaction.atomic():
        proposal = _locked(reference)
        kept = proposal.content
        approvals.approve(proposal, checker=checker, reason=reason.strip(), subject_version=_VERSION, now=now)
        operator = _operator(kept["operator_slug"])
        on = date.fromisoformat(kept["business_date"])
        sums = _sums(operator, proposal.environment, on, kept["asset"], now, but=proposal.reference)
        if (str(sums.closing), str(sums.settled_since)) != (kept["closing_minor"], kept["settled_since_minor"]):
            raise approvals.OutdatedProposal
        (result,) = journal.post_all(
            environment=proposal.environment, drafts=[draft_of(kept, approval=proposal.reference)], now=now
        )
    return result


def refuse_settlement(*, reference: str, reason: str, checker: str, now: datetime) -> None:
    """Decide against a proposal; its maker thereby withdraws it. Nothing is posted."""
    _need_reason(reason)
    with db_transaction.atomic():
        approvals.refuse(_locked(reference), checker=checker, reason=reason.strip(), now=now)


def draft_of(content: Mapping[str, Any], *, approval: str = "") -> Draft:
    """Return what a proposal would post: the operator paid us, or we paid it."""
    outstanding = int(content["outstanding_minor"])
    return Draft(
        event_type=EVENT_TYPE,
        key=f"settlement:{content['operator_slug']}:{content['business_date']}:{content['asset']}",
        subject=content["operator"],
        amounts={"received" if outstanding > 0 else "paid": Money(abs(outstanding), content["asset"])},
        accounts={"bank": content["bank"], "due": accounts.operator_due(content["operator_slug"])},
        refs={"statement": content["statement"], **({"approval": approval} if approval else {})},
        metadata={"business_date": content["business_date"]},
        refuse_locked=True,
    )


def postings_of(proposal: Approval) -> list[Posting]:
    """Return what a proposal would post, to be shown before it is decided."""
    return journal.postings_of(draft_of(proposal.content), environment=proposal.environment)


def proposals(*, operator: Operator, environment: str, business_date: date) -> Sequence[Approval]:
    """Return the proposals to settle a statement, the newest first."""
    content = {"operator": operator.reference, "business_date": business_date.isoformat()}
    return approvals.of_kind(kind=KIND, environment=environment, content=content)


def _sums(
    operator: Operator, environment: str, business_date: date, asset: str, now: datetime, *, but: str = ""
) -> Owed:
    found = statement_day(operator=operator, environment=environment, business_date=business_date)
    if now < found.end:
        raise DateNotOver
    if asset not in found.assets:
        raise NotFound(f"{operator.name} has no account in {asset}.")
    last = approvals.latest_approved(subject=_subject(environment, operator.slug, asset), but=but)
    if last is not None and date.fromisoformat(last.content["business_date"]) >= business_date:
        raise SettledAlready(f"The statement of {last.content['business_date']} is settled.")
    return owed(found.assets[asset])


def _operator(slug: str) -> Operator:
    found = Operator.objects.filter(slug=slug, kind=Operator.Kind.OPERATOR).first()
    if found is None:
        raise NotFound("There is no such operator.")
    return found


def _subject(environment: str, slug: str, asset: str) -> str:
    """One open settlement per operator and asset: two dates' would count the same money twice."""
    return "settle_" + hashlib.sha256(f"{environment}:{slug}:{asset}".encode()).hexdigest()[:32]


def _need_reason(reason: str) -> None:
    if not reason.strip():
        raise ReasonMissing


def _try_out(environment: str, draft: Draft, now: datetime) -> None:
    with db_transaction.atomic():
        journal.post_all(environment=environment, drafts=[draft], now=now)
        db_transaction.set_rollback(True)


def _locked(reference: str) -> Approval:
    found = approvals.lock(reference=reference, kind=KIND)
    if found is None:
        raise NotFound(f"There is no proposed settlement {reference}.")
    return found
