"""The bank's magic words: in the recipient's name (bank transfer) or as a number (PromptPay).

docs/sandbox.md shows them as tables; a test holds the two equal.
"""

import re
from dataclasses import dataclass
from typing import Final

from wallets.sandbox.faults import COURSES, Course, Effect, Manner, News

PROMPTPAY: Final = "promptpay"
TRANSFER: Final = "bank_transfer"
PENDING_LONG: Final = "pending-long"
"""The wallet's word too; here it keeps its place, which is its number."""


@dataclass(frozen=True, slots=True)
class BankCourse:
    """What one fault makes happen to a payment. `returned`: it comes back on the next day."""

    course: Course
    returned: bool = False


USUAL: Final = {
    PROMPTPAY: BankCourse(Course(Effect.CONFIRMED, Manner.TRUTH)),
    TRANSFER: BankCourse(Course(Effect.PENDING_CONFIRMED, Manner.TRUTH)),
}
"""PromptPay settles at once; a bank transfer is taken on, settles a while later, and then tells."""

BANK_COURSES: Final = {
    **{word: BankCourse(course) for word, course in COURSES.items() if word != PENDING_LONG},
    "account-closed": BankCourse(Course(Effect.REJECTED, Manner.TRUTH, code="account_closed")),
    PENDING_LONG: BankCourse(COURSES[PENDING_LONG]),
    "returned": BankCourse(Course(Effect.CONFIRMED, Manner.TRUTH), returned=True),
    "returned-twice": BankCourse(Course(Effect.CONFIRMED, Manner.TRUTH, news=News.TWICE), returned=True),
}

QUERY_FAULTS: Final = ("unknown-recipient", "query-error", "query-silence", "query-garbled", "query-reset")
"""What befalls the recipient query; the payment itself would go well."""

WORDS: Final = (*BANK_COURSES, *QUERY_FAULTS)
_FIRST_NUMBER: Final = 899_990_000

_MAGIC: Final = re.compile(r"magic-([a-z-]+)(?:\..*)?")


def number_of(word: str) -> str:
    """Return the PromptPay number (a mobile's ten digits) that makes a word happen."""
    return f"0{_FIRST_NUMBER + WORDS.index(word)}"


def word_in(recipient: str) -> str:
    """Return the magic word of a recipient's name or number; "" for an ordinary one."""
    if (found := _MAGIC.fullmatch(recipient)) and found[1] in WORDS:
        return found[1]
    if recipient.isascii() and recipient.isdigit() and len(recipient) == 10:
        place = int(recipient) - _FIRST_NUMBER
        return WORDS[place] if 0 <= place < len(WORDS) else ""
    return ""
