"""Matches by hand: a person says that a line and a transaction belong together, or that they do not.

Until the line's date is locked. The amounts have to be equal, of a batch their sum: what differs is a break, not a match.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import transaction as db_transaction

from ledger.controls.moves import Why
from ledger.controls.refusals import NotFound, Refusal
from reconciliation import schedule, transitions
from reconciliation.models import StatementLine, StatementMatch
from reconciliation.statements import candidates, matching
from reconciliation.statements.candidates import Candidate
from reconciliation.statements.dates import is_locked
from reconciliation.statements.pairing import Pair, contradicted

MOST_IN_BATCH: Final = 200


class DateLocked(Refusal):
    """The date of this statement line is locked: its match stays as it is."""

    code = "statement_date_locked"
    status = 409


class AlreadyMatched(Refusal):
    """This line, or this transaction, is matched already."""

    code = "statement_already_matched"
    status = 409


class NotMatched(Refusal):
    """This line is matched with nothing."""

    code = "statement_not_matched"
    status = 409


class AmountsDiffer(Refusal):
    """The line and the transaction are not of the same asset and amount."""

    code = "statement_amounts_differ"


class NotOnThisAccount(Refusal):
    """This transaction did not move the account that the statement is of."""

    code = "statement_other_account"


class TooMany(Refusal):
    """A line is matched by hand with at most 200 transactions."""

    code = "statement_too_many"


class ReasonMissing(Refusal):
    """A match by hand, and its undoing, need a reason."""

    code = "reason_missing"


def match(
    *, line_reference: str, transaction_ids: Sequence[UUID], reason: str, actor: str, now: datetime
) -> list[StatementMatch]:
    """Match a line by hand, with one transaction or with the several that its amount is the sum of.

    Raises NotFound, DateLocked, AlreadyMatched, NotOnThisAccount, AmountsDiffer, TooMany or ReasonMissing.
    """
    if len(transaction_ids) > MOST_IN_BATCH:
        raise TooMany
    with db_transaction.atomic():
        line = _locked_line(line_reference, reason)
        taken = StatementMatch.objects.filter(source=line.source, state=StatementMatch.State.STANDING)
        if taken.filter(line=line).exists() or taken.filter(transaction_id__in=transaction_ids).exists():
            raise AlreadyMatched
        chosen = [_on_account(line, one) for one in dict.fromkeys(transaction_ids)]
        if not chosen or sum(one.amount_minor for one in chosen) != int(line.amount_minor):
            raise AmountsDiffer
        in_batch = len(chosen) > 1
        made = []
        for one in chosen:
            pair = Pair(line, one, StatementMatch.Rule.BY_HAND, in_batch=in_batch)
            row = matching.new_match(pair, by=actor, reason=reason.strip()[:200])
            evidence = {**matching.evidence_of(pair), "contradicting_ids": contradicted(line, one)}
            transitions.match_line(row, why=Why(actor, reason.strip()[:200], evidence=evidence), now=now)
            made.append(row)
    return made


def undo(*, line_reference: str, reason: str, actor: str, now: datetime) -> list[StatementMatch]:
    """Take a line's match away, that of a batch whole, whoever made it. Raises NotFound, DateLocked, NotMatched, …"""
    with db_transaction.atomic():
        line = _locked_line(line_reference, reason)
        standing = StatementMatch.objects.select_for_update().filter(line=line, state=StatementMatch.State.STANDING)
        found = list(standing.order_by("pk"))
        if not found:
            raise NotMatched
        for one in found:
            transitions.undo_match(one, why=Why(actor, reason.strip()[:200]), now=now)
        StatementLine.objects.filter(pk=line.pk).update(unmatched_because="A person took its match away.")
        schedule.look_again(environment=line.environment, dates=[line.business_date], now=now)
    return found


def _on_account(line: StatementLine, transaction_id: UUID) -> Candidate:
    found = candidates.of_transaction(source=line.source, transaction_id=transaction_id, asset=line.asset)
    if found is None:
        raise NotOnThisAccount
    return found


def _locked_line(reference: str, reason: str) -> StatementLine:
    """Wait for the matcher, hold the line's date open, and return the line. A line's columns never change."""
    if not reason.strip():
        raise ReasonMissing
    line = StatementLine.objects.select_related("source").filter(reference=reference).first()
    if line is None:
        raise NotFound(f"There is no statement line {reference}.")
    matching.one_at_a_time(line.environment)
    if is_locked(line.environment, line.business_date):
        raise DateLocked
    return line
