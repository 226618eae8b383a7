"""Pay out of a wallet to a recipient outside (OneWallet, Pattern B; walletflow, reserve).

1 the intent is created with its claim: the anchor of its idempotency (`begin_payout`, its own transaction)
2 the channel is asked who the recipient is, with no transaction open: lookupRef, receiverName, network fee (`ask_who`); a
  crash here moves nothing, and a replay goes on from the anchor
3 validated: fees calculated, limits checked (`finish_payout`); with `"confirm": false` it waits here to be confirmed
4 authorized: limits taken, amount + fees + VAT + network fee held with timeout 0, since external funds never expire by
  themselves; the payout is born, and its PAYOUT_SAGA_REQUESTED survives a crash; all in one transaction
5 answer: AUTHORIZED, requiresMonitoring true

One gateway serves all of it, chosen in step 1: another that is connected meanwhile never told who the recipient is.

A refusal after step 1 ends the intent as failed, with the refusal's code as its reason; nothing of it is held.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Any, Final

from django.db import transaction as db_transaction

from ledger import accounts
from ledger.controls import references, request_context
from ledger.controls.moves import Birth, IllegalMove, Why
from ledger.controls.refusals import NotFound, Refusal
from ledger.controls.rest.caller import Caller
from ledger.journal import PostingRefused
from ledger.money import Money
from orders import intent_history, intent_moves, payout_moves, payout_terms
from orders.locks import lock_intent
from orders.models import Intent, Payout
from orders.operations.cancel_unconfirmed import CONFIRM_WITHIN
from orders.operations.transfer_now import (
    DuplicatePartnerReference,
    insufficient_funds,
    taken_partner_references,
)
from orders.payout_requests import PayoutRequest
from orders.sagas.payout import details
from wallets import holders, limits, pricing, recipient_queries
from wallets.gateway_terms import channel_terms
from wallets.recipient_queries import NotPayable, Payable, RecipientAnswer, Unanswered

FLOW: Final = "payout"


class AssetNotPaidOut(Refusal):
    """This channel pays out another asset."""

    code = "asset_not_paid_out"


class RecipientNotPayable(Refusal):
    """The channel does not know this recipient."""

    code = "recipient_not_payable"


class ChannelUnavailable(Refusal):
    """The channel did not say who the recipient is; nothing moved. Send the same request again."""

    code = "channel_unavailable"
    status = 503
    kept = False

    def __init__(self, *, intent_id: str, wait: timedelta | None) -> None:
        super().__init__(intent_id=intent_id)
        self.retry_after = max(1, ceil((wait or timedelta()).total_seconds()))


class ConfirmationExpired(Refusal):
    """The payout was not confirmed in time."""

    code = "confirmation_expired"
    status = 409


def begin_payout(*, caller: Caller, asked: PayoutRequest, now: datetime) -> Intent:
    """Store the payment request, created, in the caller's transaction: nothing is taken yet.

    Raises NotFound, AssetNotHeld, NoChannel, AssetNotPaidOut or DuplicatePartnerReference.
    """
    if taken := taken_partner_references(caller, [asked.partner_reference]):
        raise DuplicatePartnerReference(intent_id=taken[asked.partner_reference])
    wallet = holders.find_wallet(reference=asked.wallet, operator_id=caller.operator_id, environment=caller.environment)
    holders.need_asset(wallet, asked.amount.asset)
    gateway_id = _gateway_paying(caller.operator_id, caller.environment, asked)
    intent = Intent(
        reference=references.new(references.Prefix.INTENT),
        environment=caller.environment,
        operator_id=caller.operator_id,
        kind=Intent.Kind.PAYOUT,
        channel=asked.channel,
        payer=wallet.reference,
        recipient=dict(asked.recipient),
        asset=asked.amount.asset,
        amount_minor=Decimal(asked.amount.minor),
        partner_reference=asked.partner_reference,
        note=asked.note,
        terms={"gateway": gateway_id},
        expires_at=now + CONFIRM_WITHIN,
        request_id=request_context.request_id(),
    )
    intent_moves.birth_intent(intent, why=Why(caller.actor, "payout requested"), now=now)
    return intent


def ask_who(reference: str) -> RecipientAnswer | None:
    """Ask the channel who the recipient is. Outside any transaction. Raises ChannelUnavailable.

    None when the intent is not waiting for it any more.
    """
    intent = Intent.objects.get(reference=reference)
    if intent.state != Intent.State.CREATED:
        return None
    return ask_who_is_paid(intent)


def ask_who_is_paid(intent: Intent) -> RecipientAnswer:
    """Ask the channel of an intent that waits for it. Outside any transaction. Raises ChannelUnavailable."""
    answer = recipient_queries.ask_recipient(
        gateway_id=_gateway_of(intent),
        reference=intent.reference,
        amount=Money(int(intent.amount_minor), intent.asset),
        details=details(intent),
    )
    if isinstance(answer, Unanswered):
        raise ChannelUnavailable(intent_id=intent.reference, wait=answer.wait)
    return answer


def finish_payout(*, reference: str, told: RecipientAnswer | None, confirm: bool, actor: str, now: datetime) -> Intent:
    """Validate, and unless told to wait authorize, in the caller's transaction. An intent that moved on stays as it is.

    Raises RecipientNotPayable, WalletFrozen, WalletClosed, FeesExceedAmount, ConditionFailed, LimitExceeded,
    InsufficientFunds, NoChannel or IntentFrozen; the caller rolls back to its savepoint.
    """
    intent = lock_intent(reference)
    if intent.state != Intent.State.CREATED or told is None:
        return intent
    if isinstance(told, NotPayable):
        raise RecipientNotPayable(reason=told.reason)
    assert isinstance(told, Payable), "whoever did not answer was not finished"
    wallet = holders.lock_wallet(intent.payer)
    holders.refuse_paying(wallet)
    values = _priced(intent, wallet, told, now=now)
    if confirm:
        _authorize(intent, wallet, values=values, actor=actor, now=now)
        return intent
    _check_limits(intent, wallet, now=now)
    intent_moves.validate(intent, values=values, why=Why(actor, "validated, to be confirmed"), now=now)
    return intent


def confirm_payout(*, caller: Caller, reference: str, now: datetime) -> Intent:
    """Authorize a payout that waits to be confirmed, at the terms that it was validated with.

    Raises NotFound, IllegalMove, ConfirmationExpired, or what `finish_payout` raises.
    """
    intent = _mine(caller, reference)
    if intent.state != Intent.State.VALIDATED:
        raise IllegalMove(f"{reference} is {intent.state}: it cannot be confirmed.", state=intent.state)
    if intent.expires_at is not None and now >= intent.expires_at:
        raise ConfirmationExpired
    wallet = holders.lock_wallet(intent.payer)
    holders.refuse_paying(wallet)
    _authorize(intent, wallet, values={}, actor=caller.actor, now=now)
    return intent


def cancel_payout(*, caller: Caller, reference: str, now: datetime) -> Intent:
    """Cancel a payout before it is authorized: its funds never left. One that was cancelled stays so.

    Raises NotFound, IntentFrozen or IllegalMove.
    """
    intent = _mine(caller, reference)
    if intent.state != Intent.State.CANCELLED:
        intent_moves.cancel(intent, why=Why(caller.actor, "cancelled by the operator"), now=now)
    return intent


def end_refused(*, reference: str, refusal: Refusal, actor: str, now: datetime) -> None:
    """End an intent whose payout was refused: failed, with the refusal's code; nothing of it was held. Raises IntentFrozen."""
    intent = lock_intent(reference)
    if intent.state == Intent.State.CREATED:
        why = Why(actor, "refused", evidence={"code": refusal.code})
        intent_moves.fail(intent, status_reason=refusal.code, why=why, now=now)


def _mine(caller: Caller, reference: str) -> Intent:
    mine = Intent.objects.filter(
        reference=reference,
        operator_id=caller.operator_id,
        environment=caller.environment,
        kind=Intent.Kind.PAYOUT,
    )
    if not mine.exists():
        raise NotFound
    return lock_intent(reference)


def _gateway_paying(operator_id: int, environment: str, asked: PayoutRequest) -> int:
    """Return the gateway of the channel. Raises NoChannel or AssetNotPaidOut."""
    terms = channel_terms(operator_id=operator_id, environment=environment, channel=asked.channel)
    if terms.wallet_asset != asked.amount.asset:
        raise AssetNotPaidOut(f"{asked.channel} pays out {terms.wallet_asset}.", asset=terms.wallet_asset)
    return terms.gateway_id


def _gateway_of(intent: Intent) -> int:
    """Return who is asked and who pays: one and the same, whatever channel is connected meanwhile."""
    if "gateway" in intent.terms:
        return int(intent.terms["gateway"])
    assert intent.operator_id is not None  # begun before it was kept: its channel's of now
    terms = channel_terms(operator_id=intent.operator_id, environment=intent.environment, channel=intent.channel)
    return terms.gateway_id


def _priced(intent: Intent, wallet: holders.Wallet, told: Payable, *, now: datetime) -> dict[str, Any]:
    """Return what became known: fees, VAT, network fee, the whole debit, what the recipient gets, and the accounts."""
    assert intent.operator_id is not None
    amount = Money(int(intent.amount_minor), intent.asset)
    facts = {"payer": wallet.reference, "payer_kind": wallet.kind}
    if bank := intent.recipient.get("bank_code"):
        facts["recipient_bank"] = str(bank)
    priced = pricing.price(
        environment=intent.environment,
        operator_id=intent.operator_id,
        flow=FLOW,
        channel=intent.channel,
        amount=amount,
        facts=facts,
        now=now,
    )
    return {
        "lookup_ref": told.lookup_ref,
        "receiver_name": told.receiver_name,
        "fee_items": [item.as_json() for item in priced.items],
        "fee_minor": Decimal(priced.fee.minor),
        "vat_minor": Decimal(priced.vat.minor),
        "network_fee_minor": Decimal(told.network_fee_minor),
        "debit_minor": Decimal(priced.debit.minor + told.network_fee_minor),
        "credit_minor": Decimal(priced.credit.minor),
        "terms": {
            **intent.terms,
            "accounts": payout_terms.named(
                channel=intent.channel,
                wallet=holders.available_address(wallet),
                receivable=holders.receivable_address(wallet),
            ),
        },
    }


def _authorize(intent: Intent, wallet: holders.Wallet, *, values: dict[str, Any], actor: str, now: datetime) -> None:
    """Take the limits, hold the funds, and have the payout born. Intent and wallet are locked."""
    assert intent.operator_id is not None
    for name, value in values.items():
        setattr(intent, name, value)  # the drafts are made of them; the move writes them
    usages = _taken(intent, wallet, now=now)
    payout = Payout(
        reference=references.new(references.Prefix.PAYOUT),
        environment=intent.environment,
        operator_id=intent.operator_id,
        intent_reference=intent.reference,
        gateway_id=_gateway_of(intent),
        asset=intent.asset,
        amount_minor=Decimal(payout_terms.paid_out(intent).minor),
    )
    accounts.open_accounts(
        environment=intent.environment,
        openings=payout_terms.openings(channel=intent.channel, asset=intent.asset),
    )
    try:
        (reserved,) = intent_moves.authorize(
            intent,
            drafts=[payout_terms.reserve(intent, payout)],
            values={**values, "usages": [usage.as_json() for usage in usages]},
            payout=Birth(payout),
            why=Why(actor, "funds held"),
            now=now,
        )
    except PostingRefused as refused:
        if refused.fields.get("ledger_code") == "exceeds_credits":
            raise insufficient_funds(intent, account="wallet") from refused
        raise
    line = payout_moves.held(intent, reserved=reserved)
    intent_history.record(environment=intent.environment, entries=[line], now=now)


def _taken(intent: Intent, wallet: holders.Wallet, *, now: datetime) -> tuple[limits.Usage, ...]:
    assert intent.operator_id is not None
    return limits.take(
        environment=intent.environment,
        operator_id=intent.operator_id,
        wallet=wallet,
        flow=FLOW,
        channel=intent.channel,
        amount=Money(int(intent.amount_minor), intent.asset),
        now=now,
    )


def _check_limits(intent: Intent, wallet: holders.Wallet, *, now: datetime) -> None:
    """Look whether the limits allow it, and take nothing: they are taken when it is confirmed."""
    point = db_transaction.savepoint()
    _taken(intent, wallet, now=now)
    db_transaction.savepoint_rollback(point)
