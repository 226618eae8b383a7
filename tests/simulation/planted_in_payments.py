"""Faults of transfers, payouts and pay-ins that worlds must find."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Final
from unittest.mock import patch

from ledger.drafts import Draft
from ledger.money import Money
from orders.models import Intent, Payout
from orders.sagas import payout as payout_saga
from orders.sagas.progress import Progress
from orders.transfers import terms as transfer_terms
from tests.simulation.planted_fault import Fault
from wallets import limits
from wallets.outcomes import Rejected, Unknown
from wallets.pricing import FeeItem
from wallets.remote_operations import Performed
from webhooks import booked_transactions


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


OF_PAYMENTS: Final = (
    Fault("limits that are never given back", _limits_never_given_back, frozenset({"a limit"}), 35),
    Fault("a transfer's settlement that leaves transit uneven", _transit_not_emptied, frozenset({"L5"}), 3),
    Fault("a hold released on an ambiguous submission", _hold_released_on_ambiguity, frozenset({"R2"}), 5),
    Fault("the first version of a fee named, whichever priced", _first_version_named, frozenset({"a fee"}), 3),
    Fault("no version of a fee stored", _no_version_stored, frozenset({"a fee"}), 3),
    Fault("a pay-in booked at each telling", _booked_at_each_telling, frozenset({"defect", "I2", "one effect"}), 13),
)
