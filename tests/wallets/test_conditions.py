"""Conditions: what may be asked is answered; everything else, however it is dressed, is refused before CEL reads it."""

import contextlib
import time

import pytest

from wallets import conditions
from wallets.conditions import FACTS, LONGEST, ConditionFailed, ConditionRefused, Fact

FACTS_OF_ONE: dict[str, Fact] = {
    "amount_minor": 100_000,
    "asset": "THB",
    "flow": "transfer",
    "channel": "internal",
    "payer_kind": "merchant",
    "recipient_bank": "KBANK",
    "scheduled": True,
}

ANSWERED = [
    ("amount_minor > 99999", True),
    ("amount_minor <= 99999", False),
    ("amount_minor >= 1000 * 100 && amount_minor % 1000 == 0", True),
    ("payer_kind == 'merchant' || payee_kind == \"user\"", True),
    ("!scheduled", False),
    ("scheduled ? amount_minor > 1 : bulk", True),
    ("channel in ['promptpay', 'internal']", True),
    ("amount_minor in [1, 2, 3]", False),
    ("recipient_bank.startsWith('KB') && recipient_bank.endsWith('NK') && recipient_bank.contains('BA')", True),
    ("(amount_minor - 100001) < 0 && -amount_minor < 0", True),
    ("  \n amount_minor\t== 100000 \n", True),
    ("payee == ''", True),
    ("asset == 'ไทย'", False),
    ("true", True),
    ("amount_minor == 9223372036854775807", False),
]


@pytest.mark.parametrize(("condition", "answer"), ANSWERED, ids=[row[0] for row in ANSWERED])
def test_a_condition_is_answered(condition: str, answer: bool) -> None:
    conditions.check(condition)
    assert conditions.holds(condition, FACTS_OF_ONE) is answer


def test_no_condition_holds_for_everything() -> None:
    assert conditions.holds("", {}) is True


HOSTILE = [
    ("nothing", " "),
    ("not CEL", "amount_minor >"),
    ("two expressions", "true; true"),
    ("an unknown name", "balance > 1"),
    ("a name of Python", "__import__('os')"),
    ("a function", "size(channel) > 1"),
    ("a method beyond the three", "channel.size() > 1"),
    ("a regular expression", "channel.matches('(a+)+$')"),
    ("a method without its call", "channel.contains == channel.contains"),
    ("a field", "channel.length == 1"),
    ("a field through blanks", "channel . length == 1"),
    ("a point at the end", "channel."),
    ("a comprehension", "[1, 2].all(x, x > 0)"),
    ("a comprehension of one", "[1].exists(amount_minor, amount_minor > 0)"),
    ("a map over a list", "amount_minor in [1].map(amount_minor, amount_minor)"),
    ("a macro", "has(channel.x)"),
    ("a list that is not asked about", "[1, 2] == [1, 2]"),
    ("an index", "[true][0]"),
    ("a map", "{'a': true}.a"),
    ("a message", "google.protobuf.Int32Value{value: 1} == 1"),
    ("a fraction", "amount_minor > 1.5"),
    ("a fraction without its whole", "amount_minor > .5"),
    ("an exponent", "amount_minor > 1e3"),
    ("a conversion to a fraction", "double(amount_minor) > 1.0"),
    ("an unsigned number", "1u > 0u"),
    ("a hexadecimal number", "amount_minor > 0x10"),
    ("a number beyond 64 bits", "amount_minor > 9223372036854775808"),
    ("a number of thousands of digits", "amount_minor > " + "9" * 400),
    ("bytes", "b'a' == b'a'"),
    ("a raw string", r"r'\d' == 'd'"),
    ("an escape", r"channel == '\x00'"),
    ("a string over two lines", "channel == 'a\nb'"),
    ("a triple string", "channel == '''a'''"),
    ("a triple string over lines", "channel == \'\'\'a\n\'\'\'"),
    ("two strings side by side", "channel == 'a' 'b'"),
    ("a string without its end", "channel == 'a"),
    ("a comment", "true // nothing to see\n|| false"),
    ("a time", "timestamp('2020-01-01T00:00:00Z') < timestamp('2021-01-01T00:00:00Z')"),
    ("a duration", "duration('1h') > duration('1m')"),
    ("a type", "type(1) == int"),
    ("dynamic", "dyn(1) == 1"),
    ("null", "channel != null"),
    ("an optional", "optional.none() == optional.none()"),
    ("a number as an answer", "amount_minor"),
    ("a string as an answer", "channel"),
    ("numbers and strings mixed", "amount_minor > channel"),
    ("a yes that is added", "scheduled + bulk == 1"),
    ("an assignment", "amount_minor = 1"),
    ("a back quote", "`amount_minor` == 1"),
    ("a dollar", "$amount_minor == 1"),
    ("a null character", "channel == 'a\x00'"),
    ("a character that nobody sees", "channel == 'a\u200b'"),
    ("a direction of writing", "channel == '\u202e'"),
    ("letters that look like ours", "аmount_minor > 1"),
    ("a depth of brackets", "(" * 21 + "true" + ")" * 21),
    ("a depth beyond the parser's", "(" * 240 + "true" + ")" * 240),
    ("too long", "amount_minor > 1 " + "&& true " * 70),
]  # fmt: skip


@pytest.mark.parametrize(("case", "condition"), HOSTILE, ids=[row[0] for row in HOSTILE])
def test_a_hostile_condition_is_refused(case: str, condition: str) -> None:
    began = time.monotonic()
    with pytest.raises(ConditionRefused):
        conditions.check(condition)
    with pytest.raises(ConditionFailed):
        conditions.holds(condition, FACTS_OF_ONE)
    assert time.monotonic() - began < 1


UNANSWERED = [
    ("division by nothing", "100 / (amount_minor - 100000) > 1", FACTS_OF_ONE),
    ("a remainder of nothing", "100 % (amount_minor - 100000) == 1", FACTS_OF_ONE),
    ("a sum beyond 64 bits", "amount_minor * 9223372036854775807 > 1", FACTS_OF_ONE),
    ("an amount beyond 64 bits", "amount_minor + 0 > 1", {"amount_minor": 2**63}),
    ("an amount that would be a fraction", "amount_minor * 1 == 1", {"amount_minor": 10**30}),
    ("a fact of another type", "scheduled", {"scheduled": 1}),
    ("a yes for a number", "amount_minor == 1", {"amount_minor": True}),
    ("a fact that nobody knows", "true", {"balance": 1}),
]


@pytest.mark.parametrize(("case", "condition", "facts"), UNANSWERED, ids=[row[0] for row in UNANSWERED])
def test_a_condition_that_cannot_be_answered_is_neither_yes_nor_no(
    case: str, condition: str, facts: dict[str, Fact]
) -> None:
    conditions.check(condition)
    with pytest.raises(ConditionFailed):
        conditions.holds(condition, facts)


@pytest.mark.parametrize(
    "condition",
    [
        "!" * (LONGEST - 4) + "true",
        "-" * (LONGEST - 6) + "1 == 1",
        "true?" * 90 + "true" + ":true" * 9,
        "true" + "&&true" * 80,
    ],
    ids=["nots", "minuses", "questions", "ands"],
)
def test_the_longest_conditions_end(condition: str) -> None:
    """Answered or refused, in no time and without taking the process with them."""
    began = time.monotonic()
    with contextlib.suppress(ConditionRefused):
        conditions.check(condition)
    assert time.monotonic() - began < 1


def test_every_fact_has_a_type_that_conditions_know() -> None:
    assert {type(value) for value in FACTS.values()} == {int, str, bool}
