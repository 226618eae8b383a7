"""The shares of an outcome market: two assets, the same in every market, told apart by their accounts."""

from typing import Final

OUTCOMES: Final = ("YES", "NO")

ISSUED: Final = 10**15
"""The shares of each outcome that are made at opening, in minor units: more than a maker's cash can ever be."""


def other(outcome: str) -> str:
    return OUTCOMES[1 - OUTCOMES.index(outcome)]
