"""The magic words: each is a course of events, put together from three independent choices.

docs/sandbox.md shows them as tables; a test holds the two equal.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Effect(StrEnum):
    """What happens to the money."""

    NOTHING = "nothing"
    CONFIRMED = "confirmed"
    PENDING_CONFIRMED = "pending, then confirmed"
    PENDING_REJECTED = "pending, then rejected"
    REJECTED = "rejected"


class Manner(StrEnum):
    """How the ask is answered."""

    TRUTH = "truth"
    LATE_TRUTH = "late truth"
    SILENCE = "silence"
    ERROR = "error"
    RESET = "reset"
    GARBLED = "garbled"
    OTHER_AMOUNT = "other amount"
    OTHER_KEY = "other key"
    THROTTLED = "throttled"
    TOO_LATE = "too late"


class Sight(StrEnum):
    """How a lookup sees the key."""

    TRUTH = "truth"
    HIDDEN = "hidden"
    """404 as if the key were not known, for a while."""
    PENDING = "pending"
    """Still working, whatever is true."""
    ERROR = "error"
    SILENCE = "silence"
    RESET = "reset"
    GARBLED = "garbled"
    OTHER_AMOUNT = "other amount"


class News(StrEnum):
    """Which `operation.updated` events are sent about it."""

    ONCE = "once"
    """When a pending operation has ended; none about an operation that was never pending."""
    TWICE = "twice"
    """The same event twice, and then the same news under another id."""
    REORDERED = "reordered"
    """First how it ended, then that it is pending."""
    EARLY = "early"
    """How it ends, before the ask is answered."""


@dataclass(frozen=True, slots=True)
class Course:
    """What one fault makes happen. `code` is the reason of a rejection."""

    effect: Effect
    manner: Manner
    sight: Sight = Sight.TRUTH
    code: str = ""
    news: News = News.ONCE


USUAL: Final = Course(Effect.CONFIRMED, Manner.TRUTH)

COURSES: Final = {
    "declined": Course(Effect.REJECTED, Manner.TRUTH, code="declined"),
    "insufficient": Course(Effect.REJECTED, Manner.TRUTH, code="insufficient_funds"),
    "timeout-before": Course(Effect.NOTHING, Manner.SILENCE),
    "timeout-after": Course(Effect.CONFIRMED, Manner.SILENCE),
    "error-before": Course(Effect.NOTHING, Manner.ERROR),
    "error-after": Course(Effect.CONFIRMED, Manner.ERROR),
    "reset-before": Course(Effect.NOTHING, Manner.RESET),
    "reset": Course(Effect.CONFIRMED, Manner.RESET),
    "slow": Course(Effect.CONFIRMED, Manner.LATE_TRUTH),
    "pending": Course(Effect.PENDING_CONFIRMED, Manner.TRUTH),
    "pending-declined": Course(Effect.PENDING_REJECTED, Manner.TRUTH, code="declined"),
    "garbled": Course(Effect.CONFIRMED, Manner.GARBLED),
    "other-amount": Course(Effect.CONFIRMED, Manner.OTHER_AMOUNT),
    "other-amount-always": Course(Effect.CONFIRMED, Manner.OTHER_AMOUNT, Sight.OTHER_AMOUNT),
    "other-key": Course(Effect.CONFIRMED, Manner.OTHER_KEY),
    "not-found-for-a-while": Course(Effect.CONFIRMED, Manner.ERROR, Sight.HIDDEN),
    "lost": Course(Effect.NOTHING, Manner.ERROR, Sight.ERROR),
    "throttled": Course(Effect.NOTHING, Manner.THROTTLED),
    "too-late": Course(Effect.NOTHING, Manner.TOO_LATE),
    "pending-twice": Course(Effect.PENDING_CONFIRMED, Manner.TRUTH, news=News.TWICE),
    "pending-reordered": Course(Effect.PENDING_CONFIRMED, Manner.TRUTH, news=News.REORDERED),
    "event-early": Course(Effect.CONFIRMED, Manner.LATE_TRUTH, news=News.EARLY),
    "pending-long": Course(Effect.PENDING_CONFIRMED, Manner.TRUTH, Sight.PENDING),
}

SIGHTS: Final = {sight.value.replace(" ", "-"): sight for sight in Sight}

_MAGIC: Final = re.compile(r"magic-(?:(reverse|credit)-)?([a-z-]+)(?:\..*)?")


def magic_word(user_reference: str, *, operation: str) -> str | None:
    """Return the word that a user reference holds for this operation; None when it is an ordinary user's.

    `magic-lost.alice` is about the debit, `magic-reverse-lost.alice` about the reverse, `magic-credit-…` about
    the credit. A word that this wallet does not know may be another counterparty's: the user is ordinary here.
    """
    found = _MAGIC.fullmatch(user_reference)
    if found is None or (found[1] or "debit") != operation or found[2] not in COURSES:
        return None
    return found[2]
