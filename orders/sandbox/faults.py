"""The venue's magic words: the wallet's courses of events, and what only a venue does.

`magic-execute-timeout-after.alice` is about the execution, `magic-reserve-…` and `magic-release-…` about those. docs/sandbox.md
shows them as tables; a test holds the two equal.
"""

import re
from typing import Final

from wallets.sandbox.faults import COURSES as COURSES_OF_ANY
from wallets.sandbox.faults import Course, Effect, Manner

_NOT_OURS: Final = ("insufficient",)

COURSES: Final = {
    **{word: course for word, course in COURSES_OF_ANY.items() if word not in _NOT_OURS},
    "price-moved": Course(Effect.REJECTED, Manner.TRUTH, code="price_moved"),
    "closed": Course(Effect.REJECTED, Manner.TRUTH, code="closed"),
}

RELEASED: Final = "released"
"""A reservation is confirmed and given back by the venue itself; one that is tried again is kept."""
RELEASED_ALWAYS: Final = "released-always"
RETURNED: Final = "returned"
"""Executed, and taken back the next day."""
WORDS: Final = (*COURSES, RELEASED, RELEASED_ALWAYS, RETURNED)

_MAGIC: Final = re.compile(r"magic-(reserve|execute|release)-([a-z-]+)(?:\..*)?")


def magic_word(user_reference: str, *, operation: str) -> str:
    """Return the word that a user reference holds for this operation; "" when it is an ordinary user's."""
    found = _MAGIC.fullmatch(user_reference)
    if found is None or found[1] != operation or found[2] not in WORDS:
        return ""
    return found[2]
