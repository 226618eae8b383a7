"""What a line of a statement proves: that a movement of ours happened of which nobody knows what became.

An operator's line is about its wallet's legs, a bank's about payments that went through the bank's channel. Ids only: our key,
the payout, their id; and the line's exact asset, amount and direction.
"""

import json
from datetime import datetime

from django.db.models import Q

from ledger import accounts
from ledger.controls.refusals import NotFound, Refusal
from orders.models import Payout
from orders.operations.prove_by_statement import prove_by_statement
from reconciliation.models import StatementLine, StatementSource
from wallets.models import Gateway, RemoteOperation
from wallets.statement_evidence import Shown, open_movement


class ProvesNothing(Refusal):
    """No id of this line names a movement whose outcome is open."""

    code = "statement_line_proves_nothing"
    status = 409


def proven_by(line: StatementLine) -> RemoteOperation | None:
    """Return the open movement that a line shows to have happened, None when it shows none."""
    minor = int(line.amount_minor)
    of_bank = line.source.kind == StatementSource.Kind.BANK
    if of_bank and minor > 0:
        return None
    found = open_movement(
        environment=line.environment,
        operator_id=None if of_bank else line.operator_id,
        legs=("submit",) if of_bank else ("debit",) if minor > 0 else ("credit", "reverse"),
        key=line.our_key,
        owner=_payout(line) if of_bank else "",
        their_id=line.provider_reference,
    )
    if found is None or (found.asset, int(found.amount_minor)) != (line.asset, abs(minor)):
        return None
    if of_bank:
        channel = Gateway.objects.values_list("channel", flat=True).get(pk=found.gateway_id)
        return found if line.source.account == accounts.bank(channel) else None
    return found


class OwnFile(Refusal):
    """Who brought a file does not take its lines as evidence: a movement that goes on from it would be one person's word."""

    code = "statement_line_of_own_file"
    status = 403


def prove(*, line_reference: str, actor: str, now: datetime) -> RemoteOperation:
    """Store a line as evidence. Raises NotFound, OwnFile, ProvesNothing, or what `prove_by_statement` raises."""
    line = StatementLine.objects.select_related("source", "file").filter(reference=line_reference).first()
    if line is None:
        raise NotFound(f"There is no statement line {line_reference}.")
    if line.file.received_by == actor:
        raise OwnFile("You brought this file: somebody else takes its lines as evidence.")
    found = proven_by(line)
    if found is None:
        raise ProvesNothing
    shown = Shown(
        asset=line.asset,
        amount_minor=abs(int(line.amount_minor)),
        their_id=line.provider_reference,
        line=line.reference,
        said=json.dumps(line.raw, ensure_ascii=False, sort_keys=True),
        by=actor,
    )
    prove_by_statement(key=found.key, shown=shown, now=now)
    return found


def _payout(line: StatementLine) -> str:
    """Return the payout that our reference names, itself or its intent."""
    ours = line.our_reference
    named = Q(reference=ours) | Q(intent_reference=ours)
    found = Payout.objects.filter(named, environment=line.environment).values_list("reference", flat=True).first()
    return found if found and ours else ""
