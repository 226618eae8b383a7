"""Conditions of fee rules in CEL: integers, strings and booleans about one payment, bounded, without side ways.

What a condition may say is a small part of the language, checked word by word before CEL ever reads it: the names in
`FACTS`, whole numbers, one-line strings, true and false, comparison, arithmetic, logic, `? :`, `in` a written-out list,
and three questions about a string. No other function, no map, no macro, no fraction, no time. A condition that cannot be
answered refuses the payment (DESIGN.md section 7, fails closed): it is never taken for false.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import cel

from ledger.controls.refusals import Refusal

Fact = int | str | bool

FACTS: Final[Mapping[str, Fact]] = {
    "amount_minor": 0,
    "asset": "",
    "flow": "",
    "channel": "",
    "payer": "",
    "payer_kind": "",
    "payee": "",
    "payee_kind": "",
    "recipient_bank": "",
    "scheduled": False,
    "bulk": False,
}
"""What a condition may ask, each with what it is where a flow does not say: wallets are their references, kinds are
`user` and `merchant`."""

LONGEST: Final = 500
_DEEPEST: Final = 20
_INT64: Final = 2**63
_AMOUNT: Final = "amount_minor"
_COMPARISONS: Final = frozenset({"==", "!=", "<=", ">=", "<", ">"})
_SUMS: Final = frozenset({"+", "-", "*", "/", "%"})

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>[0-9]+)(?![0-9A-Za-z_.])
      | (?P<text>'[^'\\\n\r]*'|"[^"\\\n\r]*")
      | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<sign>&&|\|\||==|!=|<=|>=|[<>!+\-*/%?:()\[\],.])
    )""",
    re.VERBOSE | re.ASCII,
)
_NOT_OURS: Final = (KeyboardInterrupt, SystemExit)
"""All else that comes out of the library is its answer: a panic of it is a BaseException."""

_WORDS: Final = frozenset({"true", "false", "in"})
_METHODS: Final = frozenset({"startsWith", "endsWith", "contains"})


class ConditionRefused(Refusal):
    """The condition says something that it may not."""

    code = "condition_refused"


class ConditionFailed(Refusal):
    """A fee rule's condition could not be answered: nothing was priced."""

    code = "fee_rule_failed"
    kept = False


def check(condition: str) -> None:
    """Refuse a condition that may not stand: too long, beyond the bounds, not CEL, or not a yes or no.

    It is answered once on plain facts, so that a slip of types is seen before it refuses anybody's payment. Raises
    ConditionRefused, which names the place.
    """
    _bounded(condition)
    try:
        answer = _answer(condition, {"amount_minor": 100_000})
    except (ZeroDivisionError, OverflowError):
        return  # for these facts; others may be answered, and one that cannot be refuses its payment
    except _NOT_OURS:
        raise
    except BaseException as error:
        raise ConditionRefused(f"The condition is not one: {_first_line(error)}") from error
    if type(answer) is not bool:
        raise ConditionRefused("A condition says yes or no.")


def holds(condition: str, facts: Mapping[str, Fact]) -> bool:
    """Answer a condition about a payment; an empty one holds. Raises ConditionFailed, never answers in doubt."""
    if not condition:
        return True
    try:
        _bounded(condition)
        answer = _answer(condition, facts)
    except _NOT_OURS:
        raise
    except BaseException as error:
        raise ConditionFailed(reason=type(error).__name__) from error
    if type(answer) is not bool:
        raise ConditionFailed(reason="not a yes or no")
    return answer


@lru_cache(maxsize=500)
def compares_amounts_only(condition: str) -> bool:
    """Tell whether the amount is nowhere calculated with: it is compared with written-out numbers, or looked for among them.

    Then 2^63 - 1 gives the same answer as any larger amount, since no such number reaches it.
    """
    tokens = [found.group().strip() for found in _TOKEN.finditer(condition)]
    return all(_is_compared(tokens, place) for place, token in enumerate(tokens) if token == _AMOUNT)


def _is_compared(tokens: list[str], place: int) -> bool:
    around = ["", "", "", *tokens, "", "", "", ""]
    before, after = around[place : place + 3], around[place + 4 : place + 8]
    if after[0] in _COMPARISONS:
        return before[2] not in _SUMS and _is_small(after[1]) and after[2] not in _SUMS
    if after[0] == "in":
        ends = around.index("]", place + 4) if "]" in around[place + 4 :] else place + 4
        listed = around[place + 6 : ends] or [""]
        return before[2] not in _SUMS and all(one == "," or _is_small(one) for one in listed)
    return before[2] in _COMPARISONS and _is_small(before[1]) and before[0] not in _SUMS and after[0] not in _SUMS


def _is_small(token: str) -> bool:
    return token.isdigit() and int(token) < _INT64 - 1


def _answer(condition: str, facts: Mapping[str, Fact]) -> object:
    amount = facts.get(_AMOUNT)
    if type(amount) is int and amount >= _INT64 and compares_amounts_only(condition):
        facts = {**facts, _AMOUNT: _INT64 - 1}
    return _compiled(condition).execute(_typed(facts))


@lru_cache(maxsize=500)
def _compiled(condition: str) -> Any:
    return cel.compile(condition)


def _typed(facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return every fact, each of its type: CEL's integers have 64 bits, and a larger one would become a fraction."""
    typed: dict[str, Fact] = {**FACTS, **facts}
    for name, value in typed.items():
        if type(value) is not type(FACTS[name]):
            raise TypeError(f"{name} is a {type(FACTS[name]).__name__}")
        if type(value) is int and not -_INT64 <= value < _INT64:
            raise OverflowError(f"{name} is too large for a condition")
    return typed


@lru_cache(maxsize=500)
def _bounded(condition: str) -> None:
    """Walk the condition word by word. Raises ConditionRefused at the first that may not stand there."""
    if len(condition) > LONGEST:
        raise ConditionRefused(f"A condition has at most {LONGEST} characters.")
    place, depth, before = 0, 0, ""
    text = condition.rstrip(" \n\t")
    if not text or not text.replace("\n", "").replace("\t", "").isprintable():
        raise ConditionRefused("The condition is empty, or has characters that nobody sees.")
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise ConditionRefused(f"The condition has something at character {place + 1} that may not stand there.")
        word, sign, after = found["word"], found["sign"], text[found.end() :].lstrip()[:1]
        if found["number"] and int(found["number"]) >= _INT64:
            raise ConditionRefused(f"The number at character {place + 1} is too large.")
        if not word and not sign and before == "literal":
            raise ConditionRefused(f"Two values stand side by side at character {place + 1}.")  # as in '''a'''
        if word and not _may_stand(word, before, after):
            raise ConditionRefused(f"The condition may not say {word!r}; it knows {', '.join(sorted(FACTS))}.")
        if sign == "(" and (before.isidentifier() and before not in _METHODS | {"in"}):
            raise ConditionRefused(f"{before} is no function here.")
        if sign == "[" and before != "in":
            raise ConditionRefused("A list may only stand after “in”.")
        if sign == "." and not re.match(r"\s*[A-Za-z]", text[found.end() :]):
            raise ConditionRefused("After a point stands one of: " + ", ".join(sorted(_METHODS)) + ".")
        if sign == before == "/":
            raise ConditionRefused("A condition has no comments; its note has.")
        depth += (sign in ("(", "[")) - (sign in (")", "]"))
        if depth > _DEEPEST:
            raise ConditionRefused("The condition nests too deep.")
        before = word or sign or "literal"
        place = found.end()


def _may_stand(word: str, before: str, after: str) -> bool:
    if before == ".":
        return word in _METHODS and after == "("
    return word in FACTS or word in _WORDS


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
