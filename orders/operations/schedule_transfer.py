"""Schedule a transfer: it is created and waits. Fees, limits and funds are taken when it is due (`orders.sagas.transfer`)."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from ledger.controls import references, request_context
from ledger.controls.moves import Why
from ledger.controls.refusals import Refusal
from ledger.controls.rest.caller import Caller
from orders import intent_moves
from orders.models import Intent, SagaRun
from orders.operations.transfer_now import DuplicatePartnerReference, taken_partner_references
from orders.transfers import parties, terms
from orders.transfers.requests import Asked
from wallets.holders import WalletFrozen

_FARTHEST: Final = timedelta(days=366)


class NotInTheFuture(Refusal):
    """A transfer is scheduled for an instant in the future, at most 366 days from now."""

    code = "not_in_the_future"


def schedule_transfer(*, caller: Caller, asked: Asked, now: datetime) -> Intent:
    """Store a transfer that waits, in the caller's transaction. Nothing of the payer's funds is taken.

    Raises NotInTheFuture, DuplicatePartnerReference, NotFound, SameWallet, WalletClosed or AssetNotHeld.
    """
    due = asked.scheduled_for
    assert due is not None
    if not now < due <= now + _FARTHEST:
        raise NotInTheFuture(errors={"scheduled_for": ["In the future, at most 366 days from now."]})
    if taken := taken_partner_references(caller, [asked.partner_reference]):
        raise DuplicatePartnerReference(intent_id=taken[asked.partner_reference])
    found = parties.lock_parties(
        environment=caller.environment, operator_id=caller.operator_id, references={asked.payer, asked.payee}
    )
    refusal = parties.refusal_of(asked, found)
    if refusal is not None and not isinstance(refusal, WalletFrozen):  # a freeze may be lifted until then
        raise refusal
    intent = Intent(
        reference=references.new(references.Prefix.INTENT),
        environment=caller.environment,
        operator_id=caller.operator_id,
        kind=Intent.Kind.TRANSFER,
        channel=terms.CHANNEL,
        payer=asked.payer,
        payee=asked.payee,
        asset=asked.amount.asset,
        amount_minor=Decimal(asked.amount.minor),
        partner_reference=asked.partner_reference,
        note=asked.note,
        scheduled_for=due,
        request_id=request_context.request_id(),
    )
    intent_moves.birth_intent(intent, why=Why(caller.actor, "transfer scheduled"), now=now)
    SagaRun.objects.create(subject=intent.reference, environment=intent.environment, available_at=due)
    return intent
