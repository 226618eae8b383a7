"""Opening a date again: two people for a locked one, which keeps its signatures; one in review is sent back."""

import pytest

from ledger import periods
from ledger.controls import clock, drains
from ledger.controls.approvals import SelfApproval
from ledger.controls.refusals import Refusal
from ledger.models import Move, PeriodChange
from reconciliation import (
    reopening,
    signing,
)
from reconciliation.models import CloseRun, CloseSignature
from tests.orders.desk import reloaded
from tests.reconciliation.day import DATE, Day
from tests.reconciliation.signatures import REVIEWER, locked, over, sign, submit

pytestmark = pytest.mark.usefixtures("database")


def test_reopening_takes_two_people_and_leaves_a_trace(day: Day) -> None:
    order = day.processed()
    close = locked(day)
    with pytest.raises(reopening.ReopeningReasonMissing):
        reopening.propose_reopening(close_reference=close.reference, reason=" ", maker="user:a", now=clock.now())
    with pytest.raises(periods.NoProposal):
        reopening.approve_reopening(close_reference=close.reference, reason="x", checker="user:b", now=clock.now())
    reopening.propose_reopening(close_reference=close.reference, reason="wrong rate", maker="user:a", now=clock.now())
    with pytest.raises(reopening.ReopeningProposed):
        reopening.propose_reopening(close_reference=close.reference, reason="again", maker="user:c", now=clock.now())
    with pytest.raises(SelfApproval):
        reopening.approve_reopening(close_reference=close.reference, reason="x", checker="user:a", now=clock.now())
    assert CloseRun.objects.get().state == "locked"
    reopening.approve_reopening(close_reference=close.reference, reason="agreed", checker="user:b", now=clock.now())
    close = CloseRun.objects.get()
    assert (close.state, close.preparer, close.reviewer) == ("open", "", None)
    assert not periods.is_locked("test", DATE)
    assert reloaded(order).reconciliation_state == "open"
    move = Move.objects.filter(subject=close.reference).latest("id")
    assert (move.from_state, move.to_state, move.actor) == ("locked", "open", "user:b")
    assert move.evidence is not None
    assert (move.evidence["proposed_by"], move.evidence["proposed"], move.evidence["reason"]) == (
        *("user:a", "wrong rate", "agreed"),
    )
    assert list(PeriodChange.objects.order_by("version").values_list("action", "actor")) == [
        *(("locked", REVIEWER), ("unlocked", "user:b")),
    ]
    assert CloseSignature.objects.count() == 2  # they stay
    assert drains.drain("closes") == 1
    submit()
    assert sign().state == "locked"
    assert CloseSignature.objects.count() == 4
    assert reloaded(order).reconciliation_state == "closed"


def test_only_a_locked_close_is_opened_by_two_people_and_only_one_in_review_is_sent_back(day: Day) -> None:
    day.processed()
    over(day)
    close = day.close().close
    refused: list[type[Refusal]] = []
    for attempt in (
        lambda: reopening.propose_reopening(close_reference=close.reference, reason="x", maker="u", now=clock.now()),
        lambda: signing.send_back(
            close_reference=close.reference, close_version=close.version, reason="x", actor="u", now=clock.now()
        ),
        lambda: sign(),
    ):
        with pytest.raises(Refusal) as caught:
            attempt()
        refused.append(type(caught.value))
    assert refused == [reopening.NotLocked, signing.NotUnderReview, signing.NotUnderReview]
