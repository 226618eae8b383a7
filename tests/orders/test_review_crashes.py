"""Crash at every commit of what people decide about an order, and of what its saga does then; everyone does it again.

A decision is carried out once; a key is asked once for each time that people let it be asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest

from ledger.controls import clock
from orders.models import ReviewCase
from orders.operations import review_case
from tests.flush import Flush
from tests.orders.deaths import Story, decide, drive, survives, waiting
from tests.orders.desk import Desk
from tests.orders.test_crashes import ONE_LOOKUP
from tests.orders.wallet import Step, declined, lost_after, lost_before, server_error

pytestmark = pytest.mark.usefixtures("database")


@dataclass(frozen=True)
class Decision:
    resolution: str
    leg: str
    answers: Sequence[Step | None]
    """What the leg's ask meets, and one lookup by its saga; then the truth."""
    ends_in: tuple[str, str]
    two: bool = False
    goes_on: bool = False
    """Whether the saga is driven too; another decision's goes the same way from there."""
    confirms: str = ""
    """What the leg's confirmation posts, if it is asked again."""

    def ready(self, desk: Desk) -> ReviewCase:
        """An order in review, with what a lookup by hand has shown."""
        if self.leg == "credit":
            desk.holding()
        desk.wallet.legs = {self.leg: [*self.answers, None]}
        halted = "magic-halt.alice" if self.leg == "reverse" else "alice"
        order = desk.sell() if self.leg == "credit" else desk.order(user=halted)
        for _ in range(3):
            desk.drive(passes=1, pause=timedelta(seconds=10))
        case = waiting(order.reference)
        review_case.look_up_now(case_reference=case.reference, actor="user:olga", now=clock.now())
        return case

    def act(self, desk: Desk, case: ReviewCase) -> None:
        decide(case, self.resolution, two=self.two)
        if self.goes_on:
            drive(desk)

    def story(self) -> Story[ReviewCase]:
        return Story(
            self.ready,
            self.act,
            ONE_LOOKUP,
            unsent=f"{self.leg}_unknown" if self.confirms else "",
            confirms=self.confirms,
        )


_FOUND: Sequence[Step | None] = [lost_after, server_error]
_ABSENT: Sequence[Step | None] = [lost_before, server_error]
_REJECTED: Sequence[Step | None] = [declined]

DECISIONS = {
    "debit proven": Decision("debit_proven", "debit", _FOUND, ("processed", ""), goes_on=True),
    "debit absent": Decision("debit_absent", "debit", _ABSENT, ("failed", "debit_absent")),
    "compensate": Decision("compensate", "debit", _FOUND, ("compensation_pending", "compensated_by_review")),
    "compensate again, absent": Decision(
        *("compensate_again", "reverse", _ABSENT, ("compensated", "compensated_by_review")),
        goes_on=True,
        confirms="ORDER_COMPENSATION",
    ),
    "compensate again, rejected": Decision(
        *("compensate_again", "reverse", _REJECTED, ("compensation_pending", "compensated_by_review")), two=True
    ),
    "compensation proven": Decision("compensation_proven", "reverse", _FOUND, ("compensated", "compensated_by_review")),
    "compensation settled outside": Decision(
        "compensation_settled_outside", "reverse", _REJECTED, ("compensated", "settled_outside"), two=True
    ),
    "credit proven": Decision("credit_proven", "credit", _FOUND, ("processed", "")),
    "credit again, absent": Decision(
        *("credit_again", "credit", _ABSENT, ("processed", "")), goes_on=True, confirms="ORDER_CREDIT_CONFIRMED"
    ),
    "credit again, rejected": Decision("credit_again", "credit", _REJECTED, ("operator_credit_pending", ""), two=True),
    "settled outside": Decision("settled_outside", "credit", _REJECTED, ("processed", "settled_outside"), two=True),
    "unwound": Decision("unwind", "credit", _REJECTED, ("failed", "unwound_by_review"), two=True),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decision_is_carried_out_once_when_the_process_dies_at_any_point(
    name: str, desk: Desk, flush: Flush, monkeypatch: pytest.MonkeyPatch
) -> None:
    decision = DECISIONS[name]
    stands = survives(decision.story(), desk, flush, monkeypatch)
    side, *ended, _ = stands.states[0][-1]
    assert tuple(ended) == decision.ends_in
    assert (side == "sell") is (decision.leg == "credit")
    assert stands.waits == []
    assert stands.states[3] == [(stands.states[3][0][0], "resolved", stands.states[3][0][2])], "one case, resolved"
    assert stands.states[4] == ([("review_resolution", "approved")] if decision.two else [])
