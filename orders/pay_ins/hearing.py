"""A provider says that it moved money for a wallet: booked once, in one balanced transaction (walletflow, Pay-in).

The provider event is recorded first, by the inbox. Then, in the worker's transaction:

1 read what it says; what cannot be read, and what is about nothing here (yet), waits and ends among the dead: it is money
2 the provider's transaction is claimed once: a re-delivered event, or the same one under a new id, is already processed
3 lock the wallet (another operator's is none)
4 fees by the rules of now; then the pay-in is born, with its audit row, event, posting and history line: of a refund or
  chargeback, what the wallet itself paid

A fact from outside is never refused: what the wallet lacks becomes its receivable, and so does what is taken back beyond what
was collected (a payment refunded and charged back): the close tells people of it.
"""

from typing import Final

import structlog

from ledger import movements
from ledger.controls import clock, references
from ledger.controls.moves import Birth, Why, move
from ledger.money import Money
from orders import intent_history
from orders.models import PayIn
from orders.pay_ins import drafts
from orders.pay_ins.told import Told, Unreadable, read
from wallets import holders, pricing
from wallets.conditions import Fact
from wallets.holders import Wallet
from wallets.pricing import Priced
from webhooks import booked_transactions, routing
from webhooks.routing import Applied, Ignored, InboundMessage, Judgement, Parked

log = structlog.get_logger(__name__)

ACTOR: Final = "provider"
_KINDS: Final = {f"payin.{kind}": PayIn.Kind(kind) for kind in PayIn.Kind.values}
FLOWS: Final = {
    PayIn.Kind.COLLECTED: "payin",
    PayIn.Kind.REFUNDED: "payin_refund",
    PayIn.Kind.CHARGED_BACK: "payin_chargeback",
}


class _NotYet(Exception):
    """It cannot be booked as things are. Its words say why, for people."""


def register() -> None:
    for kind in _KINDS:
        routing.handle(kind, hear)


def hear(message: InboundMessage) -> Judgement:
    """Judge one pay-in event, in the inbox worker's transaction."""
    kind = _KINDS[message.kind]
    try:
        told = read(message)
        if not booked_transactions.book_once(message, kind=kind, now=clock.now()):
            return _again(message, told, kind)
        made = _book(message, told, kind)
    except (Unreadable, _NotYet) as reason:
        return Parked(str(reason))
    return Applied(f"booked as {made.reference}")


def _again(message: InboundMessage, told: Told, kind: PayIn.Kind) -> Judgement:
    """Already processed; when it says otherwise than it did, people look."""
    first = PayIn.objects.get(provider_id=message.provider_id, provider_transaction=told.transaction, kind=kind)
    if (int(first.gross_minor), first.asset) != (told.gross.minor, told.gross.asset):
        return Parked(f"already processed as {first.reference}, with another amount")
    collection = None if kind is PayIn.Kind.COLLECTED else _collection(message, told)
    said = (told.wallet, "") if collection is None else (collection.wallet, collection.reference)
    if (first.wallet, first.collection) != said:
        return Parked(f"already processed as {first.reference}, for another wallet or collection")
    return Ignored(f"already processed as {first.reference}")


def _book(message: InboundMessage, told: Told, kind: PayIn.Kind) -> PayIn:
    now = clock.now()
    collection = None if kind is PayIn.Kind.COLLECTED else _collection(message, told)
    wallet = _wallet(message, told.wallet if collection is None else collection.wallet, asset=told.gross.asset)
    priced = _priced(message, told.gross, kind, wallet)
    pay_in = PayIn(
        reference=references.new(references.Prefix.PAY_IN),
        environment=message.environment,
        operator_id=wallet.operator_id,
        kind=kind,
        wallet=wallet.reference,
        provider_id=message.provider_id,
        provider_code=message.provider,
        provider_transaction=told.transaction,
        collection=collection.reference if collection else "",
        inbound_event=message.reference,
        asset=told.gross.asset,
        gross_minor=told.gross.minor,
        fee_minor=priced.fee.minor,
        vat_minor=priced.vat.minor,
        fee_items=[item.as_json() for item in priced.items],
        occurred_at=told.occurred_at,
        occurred_said=told.occurred_said,
        request_id=message.request_id,
    )
    drafts.open_bank(pay_in)
    why = Why(f"{ACTOR}:{message.provider}", "told by its provider", event=message.reference)
    (result,) = move(Birth(pay_in), why=why, now=now, drafts=[drafts.draft(pay_in, wallet)])
    address = holders.available_address(wallet)
    assert result.transaction_id is not None, "post_all raises what does not stand"
    gained = movements.gained(transaction_id=result.transaction_id, address=address, asset=pay_in.asset)
    intent_history.record(
        environment=pay_in.environment,
        entries=[
            intent_history.Entry(
                wallet=wallet.reference,
                operator_id=wallet.operator_id,
                address=address,
                subject=pay_in.reference,
                kind=f"payin_{kind}",
                amount=Money(gained, pay_in.asset),
                transaction_id=result.transaction_id,
            )
        ],
        now=now,
    )
    holders.note_movement(wallet, now=now)
    return pay_in


def facts(kind: str, *, wallet: str, wallet_kind: str) -> dict[str, Fact]:
    """Return what a fee's condition may ask of a pay-in: the wallet is paid by a collection, and pays what is given back."""
    side = "payee" if kind == PayIn.Kind.COLLECTED else "payer"
    return {side: wallet, f"{side}_kind": wallet_kind}


def _priced(message: InboundMessage, gross: Money, kind: PayIn.Kind, wallet: Wallet) -> Priced:
    """Price it by the rules of now. Fees as large as the amount are waived: what has happened is booked, whatever it costs."""
    try:
        return pricing.price(
            environment=message.environment,
            operator_id=wallet.operator_id,
            flow=FLOWS[kind],
            channel=message.provider,
            amount=gross,
            facts=facts(kind, wallet=wallet.reference, wallet_kind=wallet.kind),
            now=clock.now(),
        )
    except pricing.FeesExceedAmount:
        log.warning("payin.fees_waived", kind=kind, inbound_event=message.reference)
        return Priced(gross, ())


def _collection(message: InboundMessage, told: Told) -> PayIn:
    """Return the collection that is given back. Raises _NotYet when it is not here, or was of another asset."""
    found = PayIn.objects.filter(
        provider_id=message.provider_id,
        provider_transaction=told.collection,
        kind=PayIn.Kind.COLLECTED,
        environment=message.environment,
    ).first()
    if found is None:
        raise _NotYet(f"the collection {told.collection[:80]!r} is not here (yet)")
    if found.asset != told.gross.asset:
        raise _NotYet(f"{found.reference} collected {found.asset}, not {told.gross.asset}")
    return found


def _wallet(message: InboundMessage, reference: str, *, asset: str) -> Wallet:
    """Return the wallet, locked. A frozen or closed one is credited all the same: it is a fact. Raises _NotYet."""
    named = Wallet.objects.filter(reference=reference, environment=message.environment).first()
    if named is None or message.operator_id not in (None, named.operator_id):
        raise _NotYet(f"the wallet {reference[:40]!r} is not here (yet)")
    try:
        holders.need_asset(named, asset)
    except holders.AssetNotHeld as refusal:
        raise _NotYet(refusal.message) from None
    return holders.lock_wallet(reference)
