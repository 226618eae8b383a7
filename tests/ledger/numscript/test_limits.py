"""What is too large is refused, soon, as such; what is as large as may be still works."""

import time
from collections.abc import Callable

import pytest

from ledger.numscript import Feature, LimitExceeded, Monetary, NumscriptError, Sent, SyntaxRefused, execute, parse
from ledger.numscript.limits import MAXIMUM_DEPTH, MAXIMUM_DIGITS, MAXIMUM_SOURCE, MAXIMUM_STEPS

SECONDS = 10
"""Generous, so that a busy machine passes; what these tests guard against takes minutes or for ever."""


def _nested_sources(depth: int) -> str:
    return f"send [EUR 1] (source = {'{' * depth}@world{'}' * depth} destination = @a)"


def _nested_destinations(depth: int) -> str:
    return f"send [EUR 1] (source = @world destination = {'{remaining to ' * depth}@a{'}' * depth})"


def _caps(depth: int) -> str:
    return f"send [EUR 1] (source = {'max [EUR 1] from ' * depth}@world destination = @a)"


def _sum(terms: int) -> str:
    return f'set_tx_meta("a", {"+".join(["1"] * terms)})'


def _signs(count: int) -> str:
    return f'set_tx_meta("a", {"-" * count}1)'


def _parentheses(depth: int) -> str:
    return f'set_tx_meta("a", {"(" * depth}1{")" * depth})'


@pytest.mark.parametrize(
    "script", [_nested_sources, _nested_destinations, _caps, _sum, _signs, _parentheses], ids=lambda made: made.__name__
)
def test_depth_is_limited(script: Callable[[int], str]) -> None:
    execute(parse(script(MAXIMUM_DEPTH - 10)), {})
    for depth in (MAXIMUM_DEPTH + 1, 5_000):
        with pytest.raises((LimitExceeded, SyntaxRefused)) as caught:
            parse(script(depth))
        assert "deeper" in caught.value.message or "characters" in caught.value.message


def test_brackets_that_never_close_are_too_deep_or_unfinished() -> None:
    for bracket in "({[":
        for text in (bracket * 60_000, f"send [EUR 1] (source = {bracket * 60_000}"):
            with pytest.raises(NumscriptError):
                parse(text)


def test_brackets_within_texts_and_comments_do_not_count() -> None:
    program = parse(f'set_tx_meta("a", "{"(" * 500}") // {"{" * 500}\n/* {"[" * 500} */')
    assert execute(program, {}).transaction_metadata == {"a": "(" * 500}


def test_the_length_of_a_script_is_limited() -> None:
    parse(" " * MAXIMUM_SOURCE)
    with pytest.raises(LimitExceeded, match="at most 65536 characters"):
        parse(" " * (MAXIMUM_SOURCE + 1))


def test_the_parts_of_a_script_are_limited() -> None:
    with pytest.raises(LimitExceeded, match=f"at most {MAXIMUM_STEPS} parts"):
        parse(f"send [EUR 1] (source = {{{'@a ' * 15_000}}} destination = @b)")


def test_the_digits_of_a_number_are_limited() -> None:
    most = "9" * MAXIMUM_DIGITS
    assert execute(parse(f'set_tx_meta("a", {most})'), {}).transaction_metadata == {"a": int(most)}
    for text in (most + "9", "1" * 50_000, "1_" * 20_000 + "1", "0." + "1" * 50_000 + "%"):
        with pytest.raises(LimitExceeded, match="digits"):
            parse(f'set_tx_meta("a", {text})')


def test_the_length_of_a_text_is_limited() -> None:
    with pytest.raises(LimitExceeded, match="4096 characters"):
        parse(f'set_tx_meta("a", "{"x" * 5_000}")')


def test_portions_without_a_bearable_common_denominator_are_refused() -> None:
    clauses = " ".join(f"1/{10**70 + 2 * index + 1} to @a" for index in range(700))
    with pytest.raises(LimitExceeded, match="common denominator"):
        parse(f"send [EUR 1] (source = @world destination = {{{clauses} remaining kept}})")


def test_a_script_of_the_largest_size_ends_soon() -> None:
    """Sources undone one after the other, each with all that was taken before it: the most work there is."""
    began = time.perf_counter()
    taken = " ".join(f"@a:{index}" for index in range(1_500))
    tried = " ".join(f"{{@b:{index} @c}}" for index in range(1_300))
    source = f"send [EUR 9999] (source = {{{taken} oneof {{{tried} @world}}}} destination = @z)"
    program = parse(source, features=[Feature.ONEOF])
    run = execute(program, {}, balances={(f"a:{index}", "EUR"): 1 for index in range(1_500)} | {("c", "EUR"): 1})
    assert len(run.postings) == 1_501
    assert run.postings[-1] == Sent("world", "z", "EUR", 9999 - 1_500)
    assert time.perf_counter() - began < SECONDS


def test_many_statements_end_soon() -> None:
    began = time.perf_counter()
    program = parse("send [EUR 1] (source={@a @world} destination={1/3 to @b remaining to @c})\n" * 500)
    assert len(execute(program, {}).postings) == 500
    assert time.perf_counter() - began < SECONDS


def test_sums_of_the_largest_numbers_are_exact() -> None:
    most = 10**MAXIMUM_DIGITS - 1
    money = "+".join([f"[EUR {most}]"] * 50)
    run = execute(parse(f"send {money} (source = @world destination = {{1/3 to @a remaining to @b}})"), {})
    assert sum(sent.amount for sent in run.postings) == 50 * most
    assert execute(parse(f'set_tx_meta("a", {money})'), {}).transaction_metadata == {"a": Monetary("EUR", 50 * most)}
