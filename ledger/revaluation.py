"""An open exchange position valued anew: the balance of `fx:{asset}` at the rate that it stands at, and at the rate of now.

Each value is rounded half up in the book's reporting asset, and what is posted is their difference: one revaluation after
another then comes to the value at the last rate, without a unit lost in between. Exact integers throughout.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from ledger import accounts, assets, balances
from ledger.controls.refusals import Malformed, Refusal
from ledger.drafts import Draft
from ledger.models import Book
from ledger.money import Money, Rounding, divide

EVENT_TYPE: Final = "FX_REVALUATION"

_PREFIX: Final = "fx:"
_RATE: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,18})?")
_PARTS: Final = 10**18


class NothingToRevalue(Refusal):
    """This position is worth the same at both rates."""

    code = "nothing_to_revalue"
    status = 409


@dataclass(frozen=True, slots=True)
class Revaluation:
    """`position` is in minor units of the position's asset, `before` and `now` in those of the reporting asset; negative
    where we are short.
    """

    position: int
    before: int
    now: int

    @property
    def gain(self) -> int:
        return self.now - self.before


def value(position: int, *, asset: str, rate: str, reporting: str) -> int:
    """Return what a position is worth in minor units of `reporting`; `rate` says what one unit of `asset` buys of it."""
    scale = 10 ** assets.named(asset).scale
    worth = divide(abs(position) * _parts(rate) * 10 ** assets.named(reporting).scale, scale * _PARTS, Rounding.HALF_UP)
    return worth if position >= 0 else -worth


def draft(
    *, environment: str, account: str, rate_before: str, rate_now: str, key: str, effective_at: datetime | None
) -> Draft:
    """Return the posting that values the position of an account (`fx:USD`) anew, of its posted balance as it is now.

    Raises Malformed, UnknownAsset or NothingToRevalue.
    """
    if not account.startswith(_PREFIX):
        raise Malformed("A position's account is fx:{asset}.")
    asset = assets.named(account.removeprefix(_PREFIX)).code
    reporting = Book.objects.values_list("reporting_asset_id", flat=True).get(environment=environment)
    if asset == reporting:
        raise Malformed(f"{reporting} is the book's reporting asset itself.")
    found = balances.read(environment=environment, accounts=[(account, asset)]).get((account, asset))
    position = found.credits_posted - found.debits_posted if found is not None else 0
    came_to = Revaluation(
        position=position,
        before=value(position, asset=asset, rate=rate_before, reporting=reporting),
        now=value(position, asset=asset, rate=rate_now, reporting=reporting),
    )
    if came_to.gain == 0:
        raise NothingToRevalue
    return Draft(
        event_type=EVENT_TYPE,
        key=key,
        subject="",
        amounts={"gain" if came_to.gain > 0 else "loss": Money(abs(came_to.gain), reporting)},
        accounts={"fx": account, "result": accounts.FX_RESULT},
        metadata={
            "position": f"{assets.text(came_to.position, asset)} {asset}",
            "rate_before": rate_before,
            "rate_now": rate_now,
            "worth_before": f"{assets.text(came_to.before, reporting)} {reporting}",
            "worth_now": f"{assets.text(came_to.now, reporting)} {reporting}",
        },
        effective_at=effective_at,
    )


def _parts(rate: str) -> int:
    """Read a rate as a whole number of 10^-18."""
    if not _RATE.fullmatch(rate):
        raise Malformed("A rate is a decimal number like 0.92, with at most 18 places.")
    whole, _, places = rate.partition(".")
    return int(whole) * _PARTS + int(places.ljust(18, "0"))
