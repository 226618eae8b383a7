"""Each magic word: what is answered, what the wallet did, what a lookup says at once and later."""

import json
from dataclasses import dataclass

import pytest

from tests.wallets.sandbox.calls import Desk
from wallets.sandbox.faults import COURSES, magic_word
from wallets.sandbox.messages import Answer, Ending


@dataclass(frozen=True)
class Word:
    """`ask`, `lookup` and `later` (after six seconds) are written by `told`; `did` is the money."""

    word: str
    ask: str
    did: str
    lookup: str
    later: str


WORDS = [
    #    word                     ask answers       money        lookup           lookup later
    Word("declined", "422 declined", "rejected", "200 rejected", "200 rejected"),
    Word("insufficient", "422 insufficient_funds", "rejected", "200 rejected", "200 rejected"),
    Word("timeout-before", "silence", "", "404 not_found", "404 not_found"),
    Word("timeout-after", "silence", "confirmed", "200 confirmed", "200 confirmed"),
    Word("error-before", "500 internal_error", "", "404 not_found", "404 not_found"),
    Word("error-after", "500 internal_error", "confirmed", "200 confirmed", "200 confirmed"),
    Word("reset-before", "reset", "", "404 not_found", "404 not_found"),
    Word("reset", "reset", "confirmed", "200 confirmed", "200 confirmed"),
    Word("slow", "200 confirmed late", "confirmed", "200 confirmed", "200 confirmed"),
    Word("pending", "202 pending", "pending", "200 pending", "200 confirmed"),
    Word("pending-declined", "202 pending", "pending", "200 pending", "200 rejected"),
    Word("garbled", "200 unreadable", "confirmed", "200 confirmed", "200 confirmed"),
    Word("other-amount", "200 confirmed of 10.09", "confirmed", "200 confirmed", "200 confirmed"),
    Word(
        "other-amount-always",
        "200 confirmed of 10.09",
        "confirmed",
        "200 confirmed of 10.09",
        "200 confirmed of 10.09",
    ),
    Word("other-key", "200 confirmed of other key", "confirmed", "200 confirmed", "200 confirmed"),
    Word("not-found-for-a-while", "500 internal_error", "confirmed", "404 not_found", "200 confirmed"),
    Word("lost", "500 internal_error", "", "500 internal_error", "500 internal_error"),
    Word("throttled", "429 too_many_requests", "", "404 not_found", "404 not_found"),
    Word("too-late", "422 too_late", "", "404 not_found", "404 not_found"),
    Word("pending-twice", "202 pending", "pending", "200 pending", "200 confirmed"),
    Word("pending-reordered", "202 pending", "pending", "200 pending", "200 confirmed"),
    Word("event-early", "200 confirmed late", "confirmed", "200 confirmed", "200 confirmed"),
    Word("pending-long", "202 pending", "pending", "200 pending", "200 pending"),
]


def told(answer: Answer) -> str:
    """Write an answer in a few words."""
    if answer.ending is not Ending.SEND:
        return str(answer.ending.value)
    try:
        content: dict[str, str] = json.loads(answer.body)
    except ValueError:
        return f"{answer.status} unreadable"
    text = f"{answer.status} {content['code'] if answer.status >= 400 else content['status']}"
    if content.get("amount", "10.00") != "10.00":
        text += f" of {content['amount']}"
    if content.get("idempotency_key", "ord_1:debit:v1").endswith(":other"):
        text += " of other key"
    return text + (" late" if answer.delay else "")


@pytest.mark.parametrize("word", WORDS, ids=lambda one: one.word)
def test_a_magic_word_makes_its_fault_happen_and_only_its_fault(word: Word, desk: Desk) -> None:
    assert told(desk.ask(f"magic-{word.word}.alice")) == word.ask
    assert desk.statuses() == ([word.did] if word.did else [])
    assert told(desk.look_up()) == word.lookup
    desk.clock.pass_by(6)
    assert told(desk.look_up()) == word.later
    assert [row["amount"] for row in desk.rows("operations")] in ([], ["10.00"])


def test_every_word_is_in_the_table() -> None:
    assert sorted(word.word for word in WORDS) == sorted(COURSES)


@pytest.mark.parametrize("word", [one for one in WORDS if one.did != "rejected"], ids=lambda one: one.word)
def test_a_second_ask_of_the_same_key_goes_well_and_moves_the_money_once(word: Word, desk: Desk) -> None:
    desk.ask(f"magic-{word.word}.alice")
    desk.clock.pass_by(6)
    again = told(desk.ask(f"magic-{word.word}.alice"))
    expected = "422 declined" if word.word == "pending-declined" else "200 confirmed"
    assert again == expected
    assert desk.statuses() == ["rejected" if word.word == "pending-declined" else "confirmed"]


@pytest.mark.parametrize("word", sorted(COURSES))
def test_a_reverse_word_spares_the_debit_and_the_second_version(word: str, desk: Desk) -> None:
    user = f"magic-reverse-{word}.alice"
    assert told(desk.ask(user)) == "200 confirmed"
    first = told(desk.ask(user, operation="reverse"))
    assert first == next(one.ask for one in WORDS if one.word == word)
    if "rejected" in desk.statuses():
        assert told(desk.ask(user, operation="reverse", version=2)) == "200 confirmed"


@pytest.mark.parametrize(
    "user", ["alice", "magic", "magic-", "magic-halt.alice", "magic-unheard-of", "amagic-declined", "magic-Declined"]
)
def test_an_unknown_word_is_an_ordinary_user(user: str, desk: Desk) -> None:
    assert told(desk.ask(user)) == "200 confirmed"
    assert desk.statuses() == ["confirmed"]


def test_a_word_is_about_its_operation_alone() -> None:
    assert magic_word("magic-lost.a.b", operation="debit") == "lost"
    assert magic_word("magic-reverse-lost", operation="reverse") == "lost"
    assert magic_word("magic-credit-lost", operation="credit") == "lost"
    assert magic_word("magic-reverse-lost", operation="debit") is None
    assert magic_word("magic-lost", operation="reverse") is None
