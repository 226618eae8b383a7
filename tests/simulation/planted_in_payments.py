"""Faults of transfers, payouts and pay-ins that worlds must find."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final
from unittest.mock import patch

from ledger.controls import claims, clock
from ledger.drafts import Draft
from ledger.holds import HoldState
from ledger.money import Money
from orders import intent_history, intent_moves, payout_terms
from orders.intent_history import Entry
from orders.models import Intent, PayIn, Payout
from orders.operations import return_payout
from orders.pay_ins import hearing, told
from orders.pay_ins.told import Told
from orders.sagas import hold_ends
from orders.sagas import payout as payout_saga
from orders.sagas import transfer as transfer_saga
from orders.sagas.progress import Progress
from orders.transfers import terms as transfer_terms
from tests.simulation.planted_fault import Fault
from wallets import claiming, limits
from wallets.models import RemoteOperation
from wallets.outcomes import Rejected, Unknown
from wallets.pricing import FeeItem
from wallets.remote_operations import Leg, Performed
from wallets.rule_models import LimitUsage
from webhooks import booked_transactions
from webhooks.routing import InboundMessage


@contextmanager
def _limits_never_given_back() -> Iterator[None]:
    """A payment that failed keeps what it took from the day's limits."""
    with patch.object(limits, "give_back", lambda usages: None):
        yield


@contextmanager
def _booked_at_each_telling() -> Iterator[None]:
    """A collection that is told again, under whatever event id, is booked again."""
    with patch.object(booked_transactions, "book_once", lambda message, *, kind, now: True):
        yield


@contextmanager
def _transit_not_emptied() -> Iterator[None]:
    """A transfer's settlement pays its payee one minor unit less than its payer gave: the rest stays in transit."""
    original = transfer_terms.settlement

    def short(intent: Intent) -> Draft:
        draft = original(intent)
        credit = draft.amounts["credit"]
        return replace(draft, amounts={**draft.amounts, "credit": Money(credit.minor - 1, credit.asset)})

    with patch.object(transfer_terms, "settlement", short):
        yield


@contextmanager
def _hold_released_on_ambiguity() -> Iterator[None]:
    """A submission that nobody knows the end of is taken for refused: the payer has the funds again."""
    original = payout_saga._judged

    def hasty(payout: Payout, performed: Performed, *, counted: int) -> Progress:
        if isinstance(performed.outcome, Unknown):
            performed = replace(performed, outcome=Rejected(performed.outcome.cause.value))
        return original(payout, performed, counted=counted)

    with patch.object(payout_saga, "_judged", hasty):
        yield


@contextmanager
def _first_version_named() -> Iterator[None]:
    """An intent names the first version of its fee's rule, whichever priced it."""
    original = FeeItem.as_json
    with patch.object(FeeItem, "as_json", lambda self: {**original(self), "version": 1}):
        yield


@contextmanager
def _no_version_stored() -> Iterator[None]:
    """An intent is charged, and keeps no word of what for."""
    original = transfer_terms.priced_values
    with patch.object(transfer_terms, "priced_values", lambda priced: {**original(priced), "fee_items": []}):
        yield


@contextmanager
def _expiry_keeps_the_limit() -> Iterator[None]:
    """A transfer whose hold has expired keeps what it took from the day's limits."""
    original = intent_moves.fail

    def forgetful(intent: Intent, *, status_reason: str, **named: Any) -> Any:
        if status_reason != "hold_expired":
            return original(intent, status_reason=status_reason, **named)
        with patch.object(
            limits, "give_back", lambda usages: None
        ):  # nobody else runs within a transaction that has locked
            return original(intent, status_reason=status_reason, **named)

    with patch.object(intent_moves, "fail", forgetful):
        yield


@contextmanager
def _given_back_to_the_last_day() -> Iterator[None]:
    """A payment that failed gives back to the last day's limits, whenever it took from them."""
    original = limits.give_back

    def hasty(usages: Iterable[Mapping[str, Any]]) -> None:
        original([{**one, "counter": _last(one["counter"])} for one in usages if one["counter"] is not None])

    with patch.object(limits, "give_back", hasty):
        yield


def _last(counter: int) -> int:
    taken = LimitUsage.objects.get(pk=counter)
    return LimitUsage.objects.filter(name=taken.name, wallet=taken.wallet).latest("day").pk


@contextmanager
def _external_hold_expires() -> Iterator[None]:
    """A payout's hold ends by itself, as a transfer's does."""
    original = payout_terms.reserve
    with patch.object(
        payout_terms, "reserve", lambda *row: replace(original(*row), timeout=transfer_terms.HOLD_SECONDS)
    ):
        yield


@contextmanager
def _settled_after_expiry() -> Iterator[None]:
    """A worker that comes when the hold has expired says that the transfer is settled."""
    original = hold_ends.end_hold

    def late(
        *, wanted: frozenset[HoldState], make: Callable[[], None], already: Callable[[], None]
    ) -> HoldState | None:
        return original(wanted=wanted | {HoldState.EXPIRED}, make=make, already=already)

    with patch.object(transfer_saga, "end_hold", late):
        yield


@contextmanager
def _carried_out_again() -> Iterator[None]:
    """A request for a transfer that comes again with its key is carried out again."""
    take, keep = claims.take, claims.answer

    def forgetful(*, route: str, **named: Any) -> claims.Taken | claims.Answered:
        found = take(route=route, **named)
        repeated = isinstance(found, claims.Answered) and route == "/v1/transfers"
        return claims.Taken(0, clock.now()) if repeated else found

    def kept(claim: claims.Taken, answer: claims.Answer, **named: Any) -> None:
        if claim.claim_id:
            keep(claim, answer, **named)

    with patch.object(claims, "take", forgetful), patch.object(claims, "answer", kept):
        yield


@contextmanager
def _fee_left_out() -> Iterator[None]:
    """A payout's settlement leaves its fee out: the wallet has it again."""
    original = payout_terms.settle

    def cheap(intent: Intent, payout: Payout) -> Draft:
        draft = original(intent, payout)
        return replace(draft, amounts={name: one for name, one in draft.amounts.items() if name != "fee"})

    with patch.object(payout_terms, "settle", cheap):
        yield


@contextmanager
def _submitted_anew() -> Iterator[None]:
    """A payout whose submission was asked already is submitted under the next key, and the door lets it pass."""
    original = payout_saga.submit_leg

    def next_version(intent: Intent, payout: Payout) -> Leg:
        asked = RemoteOperation.objects.filter(owner=payout.reference).exclude(state="prepared").count()
        return replace(original(intent, payout), version=1 + asked)

    with (
        patch.object(payout_saga, "submit_leg", next_version),
        patch.object(claiming, "_refuse_unfounded", lambda operation, *, founded: None),
    ):
        yield


@contextmanager
def _booked_by_event_id() -> Iterator[None]:
    """What a provider tells under a new event id is a new transaction."""

    def naive(message: InboundMessage) -> Told:
        said = told.read(message)
        booked = PayIn.objects.filter(provider_transaction=said.transaction).exists()
        return replace(said, transaction=message.reference) if booked else said

    with (
        patch.object(hearing, "read", naive),
        patch.object(booked_transactions, "book_once", lambda message, *, kind, now: True),
    ):
        yield


@contextmanager
def _late_confirmation_ignored() -> Iterator[None]:
    """A payment that is confirmed after its hold was released opens no return."""
    with (
        patch.object(return_payout, "open_late_payout", lambda **_: None),
        patch.object(payout_saga, "open_late_payout", lambda **_: None),
    ):
        yield


@contextmanager
def _no_line_at_expiry() -> Iterator[None]:
    """A payer's history does not say that held funds returned."""
    original = intent_history.record

    def silent(*, environment: str, entries: Sequence[Entry], now: Any) -> None:
        original(environment=environment, entries=[one for one in entries if one.kind != "transfer_release"], now=now)

    with patch.object(intent_history, "record", silent):
        yield


OF_PAYMENTS: Final = (
    Fault("limits that are never given back", _limits_never_given_back, frozenset({"a limit"}), 35),
    Fault("a transfer's settlement that leaves transit uneven", _transit_not_emptied, frozenset({"L5"}), 3),
    Fault("a hold released on an ambiguous submission", _hold_released_on_ambiguity, frozenset({"R2"}), 5),
    Fault("the first version of a fee named, whichever priced", _first_version_named, frozenset({"a fee"}), 43),
    Fault("no version of a fee stored", _no_version_stored, frozenset({"a fee"}), 3),
    Fault("an expiry that keeps the limit's use", _expiry_keeps_the_limit, frozenset({"a limit"}), 3),
    Fault("limits given back to the last day", _given_back_to_the_last_day, frozenset({"a limit", "defect"}), 33),
    Fault("an external hold that expires", _external_hold_expires, frozenset({"L6"}), 5),
    Fault("a transfer settled after its hold's expiry", _settled_after_expiry, frozenset({"one effect"}), 3),
    Fault("a transfer carried out again under its key", _carried_out_again, frozenset({"I1"}), 200),
    Fault("a fee left out of a payout's settlement", _fee_left_out, frozenset({"one effect"}), 5),
    Fault("a payout submitted under a new key", _submitted_anew, frozenset({"R4", "R2"}), 5),
    Fault("a collection booked by its event id", _booked_by_event_id, frozenset({"book and provider"}), 3),
    Fault("a late confirmation that is ignored", _late_confirmation_ignored, frozenset({"book and bank"}), 265),
    Fault("an expiry that the history does not tell", _no_line_at_expiry, frozenset({"history"}), 3),
    Fault("a pay-in booked at each telling", _booked_at_each_telling, frozenset({"defect", "I2", "one effect"}), 13),
)
