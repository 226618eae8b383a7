"""What a review case is about, an order, a payout or a return, as those who offer and carry out resolutions need it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from ledger.controls.moves import Why
from orders.reviews.resolutions import Resolution
from wallets.remote_operations import Standing


@dataclass(frozen=True, slots=True)
class Choice:
    """One resolution as it stands for one subject. `why_not` is "" when the stored evidence allows it."""

    title: str
    ends_in: str
    why_not: str
    two_people: bool
    by_agreement: bool
    apply: Callable[[Why, datetime], None]


@dataclass(frozen=True, slots=True)
class Matter:
    """`subject` is whose saga goes on: a payout's, when the case is about its intent.

    `version` is what a proposal is bound to; `held` is "" or says why nothing may be decided any more.

    `look_up` is the movement that a lookup asks about; `goes_on()` tells, after a resolution, whether a saga takes over.
    """

    subject: str
    version: int
    held: str
    look_up: Standing | None
    choices: Mapping[Resolution, Choice]
    goes_on: Callable[[], bool]

    def why_not(self, resolution: Resolution) -> str:
        """Return why a resolution is not allowed, or "" when it is."""
        choice = self.choices.get(resolution)
        if choice is None:
            return "This case offers no such resolution."
        return self.held or choice.why_not
