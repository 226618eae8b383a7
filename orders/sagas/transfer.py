"""The saga of a scheduled transfer: two transactions, so that what is held between them is seen (OneWallet, Pattern A).

1 it waits in created until it is due
2 due: both wallets locked and fit, fees calculated, limits taken, funds held for 300 s; authorized. A refusal fails it, and
  nothing was taken
3 the hold is posted: settled. Posted already is success
4 a hold that nobody posted in time has ended by itself and its funds returned: failed, and the limits get back what it took
"""

from datetime import datetime, timedelta
from typing import Final

from django.db import transaction as db_transaction

from ledger import expiry
from ledger.controls import clock
from ledger.controls.moves import Why
from ledger.controls.refusals import NotFound, Refusal
from ledger.holds import HoldState
from ledger.journal import PostingRefused
from ledger.money import Money
from orders import intent_history, intent_moves
from orders.locks import IntentFrozen, lock_intent
from orders.models import Intent
from orders.operations.transfer_now import InsufficientFunds, insufficient_funds
from orders.sagas import hold_ends
from orders.sagas.hold_ends import end_hold
from orders.sagas.progress import MOVED, Progress, Stopped, Wait
from orders.transfers import entries, parties, terms
from orders.transfers.parties import SameWallet
from orders.transfers.requests import Asked
from orders.transitions import SAGA
from wallets import limits_of_lists, pricing, standing_rules
from wallets.conditions import ConditionFailed
from wallets.holders import AssetNotHeld, WalletClosed, WalletFrozen
from wallets.limits import LimitExceeded
from wallets.limits_of_lists import Taking
from wallets.pricing import FeesExceedAmount

_FROZEN_PAUSE: Final = timedelta(minutes=1)
_REFUSALS: Final = (
    NotFound,
    SameWallet,
    WalletFrozen,
    WalletClosed,
    AssetNotHeld,
    FeesExceedAmount,
    ConditionFailed,
    LimitExceeded,
    InsufficientFunds,
    PostingRefused,
)
_ENDED: Final = {HoldState.EXPIRED: "hold_expired", HoldState.VOIDED: "hold_released"}


def advance(intent: Intent) -> Progress:
    """Drive a transfer as far as it goes now."""
    now = clock.now()
    try:
        match intent.state:
            case Intent.State.CREATED if intent.scheduled_for is not None and now < intent.scheduled_for:
                return Wait(intent.scheduled_for - now)
            case Intent.State.CREATED:
                return _authorize(intent.reference)
            case Intent.State.AUTHORIZED:
                return _settle(intent.reference)
            case _:
                return Stopped()
    except IntentFrozen:
        return Wait(_FROZEN_PAUSE)


def _authorize(reference: str) -> Progress:
    with db_transaction.atomic():
        intent = lock_intent(reference)
        if intent.state != Intent.State.CREATED:
            return MOVED
        now = clock.now()
        try:
            with db_transaction.atomic():
                _hold(intent, now=now)
        except _REFUSALS as refusal:
            intent = Intent.objects.get(pk=intent.pk)
            why = Why(SAGA, "refused when it was due", evidence={"code": refusal.code, "detail": refusal.message})
            intent_moves.fail(intent, status_reason=refusal.code, why=why, now=now)
    return MOVED


def _hold(intent: Intent, *, now: datetime) -> None:
    """Lock, price, take from limits, hold the funds. Raises one of the refusals: the caller's savepoint takes all back."""
    assert intent.operator_id is not None
    amount = Money(int(intent.amount_minor), intent.asset)
    found = parties.lock_parties(
        environment=intent.environment, operator_id=intent.operator_id, references={intent.payer, intent.payee}
    )
    if refusal := parties.refusal_of(Asked(intent.payer, intent.payee, amount), found):
        raise refusal
    payer, payee = found[intent.payer], found[intent.payee]
    priced = pricing.price(
        environment=intent.environment,
        operator_id=intent.operator_id,
        flow=terms.FLOW,
        channel=terms.CHANNEL,
        amount=amount,
        facts=terms.facts(payer, payee, scheduled=True),
        now=now,
    )
    (usages,) = limits_of_lists.take_each(
        environment=intent.environment,
        operator_id=intent.operator_id,
        flow=terms.FLOW,
        channel=terms.CHANNEL,
        takings=[Taking(intent.payer, amount)],
        standing=standing_rules.standing(environment=intent.environment, operator_id=intent.operator_id),
        now=now,
    )
    if isinstance(usages, Refusal):
        raise usages
    values = {
        **terms.priced_values(priced),
        "terms": terms.places(payer, payee),
        "usages": [usage.as_json() for usage in usages],
    }
    for name, value in values.items():
        setattr(intent, name, value)
    try:
        (held,) = intent_moves.authorize(
            intent, drafts=[terms.hold(intent)], values=values, why=Why(SAGA, "due: funds held"), now=now
        )
    except PostingRefused as refused:
        if refused.fields.get("ledger_code") == "exceeds_credits":
            raise insufficient_funds(intent) from refused
        raise
    intent_history.record(environment=intent.environment, entries=entries.held(intent, held.transaction_id), now=now)


def _settle(reference: str) -> Progress:
    with db_transaction.atomic():
        intent = lock_intent(reference)
        if intent.state != Intent.State.AUTHORIZED:
            return MOVED
        now = clock.now()
        otherwise = end_hold(
            wanted=hold_ends.POSTED,
            make=lambda: _posted(reference, now=now, posts=True),
            already=lambda: _posted(reference, now=now, posts=False),
        )
    if otherwise is None:
        return MOVED
    return _fail(reference, status_reason=_ENDED[otherwise])


def _posted(reference: str, *, now: datetime, posts: bool) -> None:
    intent = lock_intent(reference)
    drafts = [terms.settlement(intent)] if posts else []
    why = Why(SAGA, "hold posted" if posts else "hold was posted already")
    results = intent_moves.settle(intent, drafts=drafts, why=why, now=now)
    lines = entries.settled(intent, results[0].transaction_id if posts else None, was_held=True)
    intent_history.record(environment=intent.environment, entries=lines, now=now)


def _fail(reference: str, *, status_reason: str) -> Progress:
    """Its hold has ended without being posted: see that the funds are back, then say so."""
    expiry.expire()
    with db_transaction.atomic():
        intent = lock_intent(reference)
        if intent.state != Intent.State.AUTHORIZED:
            return MOVED
        now = clock.now()
        why = Why(SAGA, "its hold has ended and the funds returned")
        intent_moves.fail(intent, status_reason=status_reason, why=why, now=now)
        intent_history.record(environment=intent.environment, entries=entries.released(intent, None), now=now)
    return MOVED
