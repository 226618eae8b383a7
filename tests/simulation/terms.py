"""How a world is: its theme, which its seed names, and its terms, drawn from the seed.

Most worlds are of everything that orders meet. The others have a theme, so that what is rare elsewhere comes often.
"""

import random
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

ORDERS: Final = "orders"
PAYMENTS: Final = "payments"
PAYOUTS: Final = "payouts"
MARKET: Final = "market"
REVIEW: Final = "review"
NEWS: Final = "news"
VENUE: Final = "venue"
CROWD: Final = "crowd"
_THEMES: Final = {0: PAYMENTS, 3: PAYMENTS, 4: MARKET, 5: PAYOUTS, 6: REVIEW, 7: CROWD, 8: NEWS, 9: VENUE}
"""By the seed's last digit."""
_EVE: Final = timedelta(minutes=29, seconds=30)
"""Half a minute before the operator's day ends (`scene_of_payments`)."""
_STOOD: Final = {
    PAYMENTS: (_EVE, timedelta(minutes=1), timedelta(seconds=280)),
    PAYOUTS: (timedelta(minutes=1), _EVE),
}
"""For how long nobody has been at work when it begins, by the seed's tens: transfers that hold their funds for 300 s find that
these have passed, well within them, or as they end; payouts were authorized on the day before.
"""
_THREADS: Final = (2, 3, 8)


@dataclass(frozen=True, slots=True)
class Terms:
    """Chances are of each place where it may happen."""

    turns: int
    kills: float
    sleeps: float
    switches: float
    faults: float
    disobedient: float
    requery_cap: int
    not_found_horizon: timedelta
    resubmit: bool
    concurrency: int
    holds_position: bool
    has_market: bool
    longest_sleep: timedelta = timedelta(seconds=90)
    longest_restart: timedelta = timedelta(seconds=20)
    theme: str = ORDERS
    closes: bool = False
    stood: timedelta = timedelta(minutes=1)
    """For how long nobody has been at work when it begins."""
    threads: int = 1
    """Where a worker has more than one it takes plain buys together."""
    lingers: int = 4
    """Rounds of work with faults and without deaths, before everything is drained; `goes_on`: how often servers and staff
    act in one."""
    goes_on: float = 0

    @property
    def pays(self) -> bool:
        """Tell whether money is paid here, and not traded."""
        return self.theme in (PAYMENTS, PAYOUTS)

    @property
    def scene(self) -> str:
        """Name the scene that it begins with."""
        if self.pays:
            return self.theme
        place = self.theme if self.theme in (VENUE, CROWD) else "market" if self.has_market else "plain"
        return f"{'held' if self.holds_position else 'empty'}_{place}"


def drawn(seed: int, chance: random.Random) -> Terms:
    calm = chance.random() < 0.1
    terms = Terms(
        turns=chance.randrange(28, 60),
        kills=0 if calm else chance.choice((0.0, 0.01, 0.02, 0.04)),
        sleeps=0 if calm else chance.choice((0.0, 0.02, 0.04, 0.08)),
        switches=chance.choice((0.1, 0.3, 0.6)),
        faults=0.05 if calm else chance.choice((0.4, 0.6, 0.9)),
        disobedient=chance.choice((0.0, 0.0, 0.6)),
        requery_cap=chance.choice((1, 2, 3)),
        not_found_horizon=timedelta(seconds=chance.choice((5, 20, 60))),
        resubmit=chance.random() < 0.2,
        concurrency=chance.choice((1, 2, 12)),
        holds_position=chance.random() < 0.6,
        has_market=chance.random() < 0.4,
    )
    theme = _THEMES.get(seed % 10, ORDERS)
    together = theme == CROWD or (seed + seed // 10) % 2 == 0
    threads = _THREADS[seed % len(_THREADS)] if together else 1
    terms = replace(terms, theme=theme, closes=seed // 10 % 8 == 1, threads=threads)
    stood = _STOOD.get(terms.theme, (terms.stood,))
    return _themed(replace(terms, stood=stood[seed // 10 % len(stood)]))


def _themed(terms: Terms) -> Terms:
    match terms.theme:
        case "payments":
            return replace(terms, lingers=8, goes_on=0.3, disobedient=terms.disobedient or 0.3)
        case "payouts":
            return replace(
                terms,
                turns=terms.turns * 2 // 3,
                kills=max(terms.kills, 0.03),
                sleeps=max(terms.sleeps, 0.04),
                faults=0.9,
                requery_cap=max(terms.requery_cap, 2),
                not_found_horizon=timedelta(seconds=5),
                disobedient=0.6,
                lingers=6,
                goes_on=0.3,
            )
        case "market":
            return replace(
                terms, turns=terms.turns // 2, has_market=True, faults=min(terms.faults, 0.4), lingers=14, goes_on=0.8
            )
        case "review":
            return replace(
                terms,
                turns=terms.turns // 2,
                holds_position=True,
                requery_cap=1,
                faults=0.9,
                switches=0.3,
                lingers=16,
                goes_on=0.5,
            )
        case "venue":
            return replace(
                terms,
                turns=terms.turns * 2 // 3,
                has_market=False,
                faults=min(terms.faults, 0.6),
                lingers=6,
                goes_on=0.3,
            )
        case "crowd":
            return replace(
                terms,
                holds_position=False,
                has_market=False,
                turns=terms.turns * 3,
                kills=max(terms.kills, 0.03),
                sleeps=min(terms.sleeps, 0.02),
                switches=0.1,
                faults=min(terms.faults, 0.3),
                concurrency=12,
                threads=min(terms.threads, 3),
                lingers=2,
            )
        case "news":
            return replace(terms, sleeps=0.08, faults=max(terms.faults, 0.6), lingers=12)
        case _:
            return terms
