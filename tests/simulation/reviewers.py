"""People who work review cases: they look up, assign, propose whatever the evidence allows, and decide on each other's."""

from datetime import timedelta
from typing import TYPE_CHECKING

from ledger.controls import clock
from ledger.controls.approvals import SelfApproval
from ledger.models import Approval
from orders.models import Return, ReviewCase
from orders.operations import review_case
from orders.reviews.matters import matter_of
from orders.reviews.resolutions import Resolution
from tests.simulation.scene import PEOPLE
from tests.simulation.terms import VENUE

if TYPE_CHECKING:
    from tests.simulation.world import World


class Reviewer:
    """One person. Tries at times to approve what they proposed themselves."""

    rest = timedelta(seconds=12)
    weight = 1

    def __init__(self, world: "World", name: str) -> None:
        self.name = name
        self._world = world

    @property
    def _actor(self) -> str:
        return f"user:{self.name}"

    def turn(self) -> None:
        open_cases = ReviewCase.objects.exclude(state=ReviewCase.State.RESOLVED).order_by("pk")
        cases = list(open_cases)
        if not cases:
            return
        proposed = [case for case in cases if case.state == ReviewCase.State.PROPOSED]
        case = self._world.chance.choice(proposed or cases)
        drawn = self._world.chance.random()
        if drawn < 0.2:
            self._look_up(case)
        elif drawn < 0.25:
            review_case.assign_case(case_reference=case.reference, owner=self.name, actor=self._actor, now=clock.now())
        elif drawn < 0.3:
            review_case.add_note(case_reference=case.reference, text="seen", actor=self._actor, now=clock.now())
        elif case.state == ReviewCase.State.PROPOSED:
            self._decide(case)
        else:
            self._propose(case)

    def settle(self, case: ReviewCase) -> None:
        """Work a case towards its end, as who drains does."""
        if case.state == ReviewCase.State.PROPOSED:
            try:
                self._decide(case, surely=True)
            except review_case.NotAllowed:  # what has come since speaks against it
                review_case.refuse_resolution(
                    case_reference=case.reference,
                    case_version=case.version,
                    reason="not so any more",
                    actor=self._actor,
                    now=clock.now(),
                )
        else:
            if not self._propose(case):
                self._look_up(case)

    def _look_up(self, case: ReviewCase) -> None:
        outcome = review_case.look_up_now(case_reference=case.reference, actor=self._actor, now=clock.now())
        self._world.note(self.name, f"looked up {case.reference}: {outcome}")

    def _propose(self, case: ReviewCase) -> bool:
        """Propose something that the evidence allows; tell whether there was anything."""
        matter = matter_of(case.subject)
        allowed = [name for name in matter.choices if not matter.why_not(name) and self._is_honest(name, case)]
        if not allowed:
            return False
        chosen = self._world.chance.choice(allowed)
        decided = review_case.propose_resolution(
            case_reference=case.reference,
            case_version=case.version,
            resolution=chosen.value,
            reason="as the evidence shows",
            agreement="as agreed with the operator",
            actor=self._actor,
            now=clock.now(),
        )
        self._world.met("review", f"{chosen.value}{'' if decided.resolved else ', proposed'}")
        self._world.note(self.name, f"{chosen.value} for {case.reference}: {decided.resolved}")
        return True

    def _decide(self, case: ReviewCase, *, surely: bool = False) -> None:
        maker = (
            Approval.objects.filter(subject=case.reference, decision=Approval.Decision.PROPOSED)
            .values_list("maker", flat=True)
            .first()
        )
        own = maker == self._actor
        if own and surely:
            return
        decide = review_case.approve_resolution
        if not surely and self._world.chance.random() < 0.25:
            decide = review_case.refuse_resolution
            self._world.met("review", "refused")
        try:
            decided = decide(
                case_reference=case.reference,
                case_version=case.version,
                reason="looked at it",
                actor=self._actor,
                now=clock.now(),
            )
        except SelfApproval:
            self._world.met("review", "self-approval refused")
            raise
        if decided.resolved:
            self._world.met("review", "approved")
        self._world.note(self.name, f"decided on {case.reference}: {decided.resolved}")

    def _is_honest(self, resolution: Resolution, case: ReviewCase) -> bool:
        """A late effect that did happen is nobody's mistake: who dismissed it would leave the book wrong."""
        if resolution is not Resolution.DISMISS:
            return True
        if self._world.terms.theme == VENUE:  # where the venue itself takes trades back
            return False
        found = Return.objects.get(reference=case.subject)
        return found.kind == Return.Kind.TRADE_RETURNED


def reviewers(world: "World") -> list[Reviewer]:
    return [Reviewer(world, name) for name in PEOPLE]
