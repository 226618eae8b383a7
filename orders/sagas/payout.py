"""The payout saga: walletflow's machine as a table `state → step`; the payout's state is its only program counter.

1 reserve (orders.operations.create_payout: amount, fees, VAT and network fee held with timeout 0, and in the same
  transaction PAYOUT_SAGA_REQUESTED; the row is unique under its intent, so "already started" is success)
2 submit (`_take_up`, `_submit`): what the channel is asked is written down, then asked once, under one key
3 after submit: confirmed settles the hold, rejected releases it, anything else waits; a payout is never submitted anew
4 wait and requery (`_requery_now`, `_requery`): look the key up when the backoff is due; "accepted, still working" does
  not count until the channel's pending horizon
5 after requery: as after submit; at the cap (10) the dead letter
6 settle hold: funds leave to the bank (`_settle`) · release hold: back to the merchant (`_release`) · complete. A hold that
  has ended so before is success; one that has ended otherwise goes to manual review
7 dead letter: a case is opened (`_open_case`), and the payout lands in manual review: operations inspect the provider's
  real state, and two people settle or release on evidence; lookups go on meanwhile (`watch`)

Money is never moved on a guess. Two channels, one saga: OneWallet's confirm is the submission, its OutboxWorker step 6.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Final, assert_never

from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.moves import Why
from ledger.holds import HoldState
from orders import payout_moves, payout_terms
from orders.locks import lock_payout
from orders.models import Intent, Payout
from orders.operations.return_payout import UNPAID, open_late_payout, return_payout
from orders.payout_moves import SAGA
from orders.sagas import hold_ends
from orders.sagas.hold_ends import end_hold
from orders.sagas.progress import MOVED, Progress, Wait
from orders.sagas.watching import look_back, watch
from wallets import contradictions, remote_operations
from wallets.outcomes import Cause, Confirmed, Rejected, Unknown
from wallets.remote_operations import Leg, Performed

_State = Payout.State
LEG: Final = "submit"
_NOT_OVER: Final = (Cause.IN_FLIGHT, Cause.NOT_ASKED)
_LOOK_AT: Final = "Look the payment up at the channel; settle the hold if it was paid, release it if it surely was not."
HOLD_ENDED: Final = "payout_hold_ended"
_LOOK_AT_HOLD: Final = (
    "See who ended the hold, and look the payment up; settle a hold that was posted, release one that was voided."
)


def advance(payout: Payout) -> Progress:
    """Take the one step that the payout's state calls for."""
    return _STEPS[_State(payout.state)](payout)


def submit_leg(intent: Intent, payout: Payout) -> Leg:
    """Return the one movement of a payout. Its key is constant: there is no second version."""
    assert payout.operator_id is not None
    return Leg(
        owner=payout.reference,
        name=LEG,
        gateway_id=payout.gateway_id,
        environment=payout.environment,
        operator_id=payout.operator_id,
        amount=payout_terms.paid_out(intent),
        user_reference=intent.payer,
        partner_order_id=intent.partner_reference,
        details=details(intent),
    )


def details(intent: Intent) -> dict[str, str]:
    """Return what the channel is told of the recipient."""
    lookup = {"lookup_ref": intent.lookup_ref} if intent.lookup_ref else {}
    return {**{name: str(value) for name, value in intent.recipient.items()}, **lookup}


def _take_up(payout: Payout) -> Progress:
    """Write down what the channel will be asked, with the move that says so."""
    with db_transaction.atomic():
        intent, payout = lock_payout(payout.reference)
        if payout.state == _State.RESERVED:
            operation = remote_operations.birth(submit_leg(intent, payout))
            payout_moves.submit(payout, operation=operation, now=clock.now())
    return MOVED


def _submit(payout: Payout) -> Progress:
    """Ask, once. Nobody asks while another worker may be asking, or while the channel is paused."""
    performed = _performed(payout)
    outcome = performed.outcome
    if isinstance(outcome, Unknown) and outcome.cause in _NOT_OVER:
        return Wait(performed.wait)
    with db_transaction.atomic():
        _, payout = lock_payout(payout.reference)
        if payout.state == _State.SUBMITTING:
            return _judged(payout, performed, counted=0)
    return MOVED


def _requery_now(payout: Payout) -> Progress:
    """The work row of the saga is the timer: when it is due, so is the backoff (or the channel has news)."""
    with db_transaction.atomic():
        _, payout = lock_payout(payout.reference)
        if payout.state == _State.WAITING:
            payout_moves.requery(payout, now=clock.now())
    return MOVED


def _requery(payout: Payout) -> Progress:
    """Look the key up. At the cap it is a dead letter."""
    performed = _performed(payout)
    outcome = performed.outcome
    if isinstance(outcome, Unknown) and outcome.cause in _NOT_OVER:
        return Wait(performed.wait)
    with db_transaction.atomic():
        _, payout = lock_payout(payout.reference)
        if payout.state != _State.REQUERYING:
            return MOVED
        if isinstance(outcome, Unknown) and performed.exhausted:
            why = Why(SAGA, "unknown at the requery cap", evidence={"cause": outcome.cause.value})
            payout_moves.give_up(payout, why=why, now=clock.now())
            return MOVED
        return _judged(payout, performed, counted=1)


def _judged(payout: Payout, performed: Performed, *, counted: int) -> Progress:
    """Move by what is known after a question: settling, releasing, or waiting for the next lookup."""
    now = clock.now()
    match performed.outcome:
        case Confirmed(remote_ref):
            why = Why(SAGA, "confirmed by the channel", evidence={"remote_ref": remote_ref})
            payout_moves.confirm(payout, why=why, now=now)
            return MOVED
        case Rejected(reason):
            why = Why(SAGA, "rejected by the channel", evidence={"reason": reason})
            payout_moves.reject(payout, why=why, now=now)
            return MOVED
        case Unknown(cause):
            pause = max(performed.wait, timedelta(milliseconds=1))
            payout_moves.wait(
                payout,
                next_requery_at=now + pause,
                requeries=payout.requeries + counted,
                why=Why(SAGA, "pending" if cause is Cause.PENDING else "unknown", evidence={"cause": cause.value}),
                now=now,
            )
            return Wait(pause)
        case _:
            assert_never(performed.outcome)


def _settle(payout: Payout) -> Progress:
    """The hold settles: the intent is settled with its reference number, in the transaction of the postings."""
    return _end(payout, _State.SETTLING, wanted=hold_ends.POSTED, move=_settled)


def _release(payout: Payout) -> Progress:
    """The hold is released: back to the wallet, and the limits with it."""
    return _end(payout, _State.RELEASING, wanted=hold_ends.GIVEN_BACK, move=_released)


def _end(
    payout: Payout, state: Payout.State, *, wanted: frozenset[HoldState], move: Callable[[str, bool], None]
) -> Progress:
    """End the hold. One that has ended so already is success; one that has ended otherwise is for people to look at."""
    with db_transaction.atomic():
        intent, payout = lock_payout(payout.reference)
        if payout.state != state:
            return MOVED
        reference = payout.reference
        otherwise = end_hold(wanted=wanted, make=lambda: move(reference, True), already=lambda: move(reference, False))
        if otherwise is not None:
            why = Why(SAGA, f"{state}, and its hold was {otherwise} before", evidence={"hold": otherwise.value})
            payout_moves.open_case(
                intent, payout, reason=HOLD_ENDED, next_action=_LOOK_AT_HOLD, why=why, now=clock.now()
            )
    return MOVED


def _settled(reference: str, posts: bool) -> None:
    intent, payout = lock_payout(reference)
    outcome = remote_operations.outcome_of(owner=reference, leg=LEG)
    paid = outcome if isinstance(outcome, Confirmed) else None
    why = Why(SAGA, "hold settled" if posts else "hold was settled already", evidence={"proven": paid is not None})
    now = clock.now()
    payout_moves.settle(
        intent,
        payout,
        response_id=paid.remote_ref if paid else "",
        settlement_date=paid.settlement_date if paid else None,
        why=why,
        now=now,
        posts=posts,
    )
    if paid is None:  # people settled what the ledger had posted and the channel never paid
        return_payout(
            intent=intent,
            payout=payout,
            amount=payout_terms.paid_out(intent),
            provider={"return_id": "", "reason": UNPAID},
            why=why,
            now=now,
        )
        _open_late(intent, payout)


def _released(reference: str, voids: bool) -> None:
    intent, payout = lock_payout(reference)
    outcome = remote_operations.outcome_of(owner=reference, leg=LEG)
    payout_moves.release(
        intent,
        payout,
        status_reason="payout_declined" if isinstance(outcome, Rejected) else "payout_absent",
        why=Why(SAGA, "hold released" if voids else "hold was released already"),
        now=clock.now(),
        voids=voids,
    )
    _open_late(intent, payout)


def _open_late(intent: Intent, payout: Payout) -> None:
    """Open the return when the submission was confirmed before this end: that news came too early to be heard as late.

    So was one that the channel has both rejected and confirmed: the intent was frozen for it, and people lifted the freeze.
    """
    known = remote_operations.standing(owner=payout.reference, leg=LEG)
    if known is None:
        return
    if known.confirmed or any(one.key == known.key for one in contradictions.of(payout.reference)):
        cause = f"{intent.state} as not paid, and submit was confirmed"
        why = Why(SAGA, cause, evidence={"remote_ref": known.remote_ref})
        open_late_payout(intent=intent, payout=payout, operation_key=known.key, why=why, now=clock.now())


def _open_case(payout: Payout) -> Progress:
    with db_transaction.atomic():
        intent, payout = lock_payout(payout.reference)
        if payout.state == _State.DEAD_LETTER:
            why = Why(SAGA, "dead letter: the requery cap is reached")
            payout_moves.open_case(
                intent, payout, reason="payout_unknown", next_action=_LOOK_AT, why=why, now=clock.now()
            )
    return MOVED


def _complete(payout: Payout) -> Progress:
    """Nothing to do; but the channel may have news of what was left absent: a late effect."""
    return look_back(payout)


def _performed(payout: Payout) -> Performed:
    """Pass through the door once. Its hold is what it pays with: without it nothing is ever asked."""
    intent = Intent.objects.get(reference=payout.intent_reference)
    return remote_operations.perform(
        submit_leg(intent, payout), waits=_still(payout), grounds=lambda: _is_held(payout.reference)
    )


def _still(payout: Payout) -> Callable[[], bool]:
    """Lock the payout in the claim's transaction: nothing is asked for one that moved on meanwhile, or is frozen."""
    state = payout.state
    return lambda: bool(lock_payout(payout.reference)[1].state == state)


def _is_held(reference: str) -> bool:
    intent, _ = lock_payout(reference)
    return bool(intent.state == Intent.State.AUTHORIZED)


_STEPS: Final[dict[Payout.State, Callable[[Payout], Progress]]] = {
    _State.RESERVED: _take_up,
    _State.SUBMITTING: _submit,
    _State.WAITING: _requery_now,
    _State.REQUERYING: _requery,
    _State.SETTLING: _settle,
    _State.RELEASING: _release,
    _State.DEAD_LETTER: _open_case,
    _State.MANUAL_REVIEW: watch,
    _State.COMPLETE: _complete,
}
