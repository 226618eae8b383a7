"""What is wrong is named, with the place: one row per mistake."""

from typing import NamedTuple

import pytest

from ledger import numscript as n
from ledger.numscript import pointed_out

SEND = "send [EUR 1] (source = @world destination = @a)"


class Mistake(NamedTuple):
    source: str
    error: type[n.NumscriptError]
    line: int
    column: int
    says: str


MISTAKES = [
    Mistake("send [EUR 1] (\n  source = @a\n)", n.SyntaxRefused, 3, 1, "Unexpected “)”"),
    Mistake("send [EUR 1] (\n  source = @a\n", n.SyntaxRefused, 2, 14, "ends too early"),
    Mistake("send [EUR 1] (\n  source = %\n)", n.SyntaxRefused, 2, 12, "Unexpected character '%'"),
    Mistake("send [eur 1] (source = @a destination = @b)", n.SyntaxRefused, 1, 11, "expected “(”"),
    Mistake(SEND + "\n/* one /* two */", n.SyntaxRefused, 2, 1, "not closed"),
    Mistake('set_tx_meta("a\n", 1)', n.SyntaxRefused, 1, 13, "Unexpected character"),
    Mistake("send [EUR 1] (source = {1/2 from @a @b} destination = @c)", n.SyntaxRefused, 1, 37, "needs its portion"),
    Mistake(
        "send [EUR 1] (source = @world destination = {remaining kept\n 1/2 to @a\n remaining to @b})",
        n.SyntaxRefused, 3, 2, "stands once",
    ),
    Mistake(
        "send [EUR 1] (source = @world destination = {\nremaining to @b\nmax [EUR 1] to @a})",
        n.SyntaxRefused, 2, 1, "comes last",
    ),
    Mistake("send [EUR 1] (source = @world destination = {max [EUR 1] to @a})", n.SyntaxRefused, 1, 45, "remaining to"),
    Mistake("send [EUR 1] (source = @world destination = {})", n.SyntaxRefused, 1, 45, "remaining to"),
    Mistake(
        "send [EUR 1] (source = @world destination = {max [EUR 1] to @a 1/2 to @b remaining to @c})",
        n.SyntaxRefused, 1, 64, "beside “max”",
    ),
    Mistake("send [EUR 1] (source = oneof {} destination = @c)", n.SyntaxRefused, 1, 31, "Unexpected “}”"),
    Mistake("vars { monetary $a }\nsend $b (source = @a destination = @b)", n.UnknownName, 2, 6, "$b"),
    Mistake("vars { monetary $a = balance($b, EUR)\naccount $b }", n.UnknownName, 1, 30, "$b"),
    Mistake("vars {\n  number $a\n  string $a }", n.SyntaxRefused, 3, 3, "declared twice"),
    Mistake("vars { money $a }", n.UnknownName, 1, 8, "no type money"),
    Mistake("vars { number $a = nothing() }", n.UnknownName, 1, 20, "nothing()"),
    Mistake("\n unset_tx_meta(1, 2)", n.UnknownName, 2, 2, "unset_tx_meta()"),
    Mistake("balance(@a, EUR)", n.UnknownName, 1, 1, "stands as a statement"),
    Mistake('#![feature("experimental-nothing")]', n.UnknownName, 1, 12, "experimental-nothing"),
    Mistake("send 5 (source = @a destination = @b)", n.TypeMismatch, 1, 6, "type monetary; it is of type number"),
    Mistake("send [EUR @a] (source = @a destination = @b)", n.TypeMismatch, 1, 11, "type number"),
    Mistake("send [EUR 1] (source = EUR destination = @b)", n.TypeMismatch, 1, 24, "type account"),
    Mistake("send [EUR 1] (source = @a\ndestination = 7)", n.TypeMismatch, 2, 15, "type account"),
    Mistake("send [EUR 1] (source = max 5 from @a destination = @b)", n.TypeMismatch, 1, 28, "type monetary"),
    Mistake("send [EUR 1] (source = @a allowing overdraft up to 3 destination = @b)", n.TypeMismatch, 1, 52, "monetary"),
    Mistake("send [EUR 1] (source = {1 from @a remaining from @b} destination = @b)", n.TypeMismatch, 1, 25, "portion"),
    Mistake("send [EUR 1] + 1 (source = @a destination = @b)", n.TypeMismatch, 1, 16, "monetary"),
    Mistake('set_tx_meta("a", "b" + 1)', n.TypeMismatch, 1, 18, "“+” joins"),
    Mistake('set_tx_meta("a", -@b)', n.TypeMismatch, 1, 18, "sign"),
    Mistake('set_tx_meta("a", [EUR 1]/2)', n.TypeMismatch, 1, 18, "number"),
    Mistake('set_tx_meta("a")', n.TypeMismatch, 1, 1, "takes 2 arguments; there are 1"),
    Mistake("set_tx_meta(1, 2)", n.TypeMismatch, 1, 13, "type string"),
    Mistake('set_account_meta("a", "b", 2)', n.TypeMismatch, 1, 18, "type account"),
    Mistake("vars { number $a = balance(@a, EUR) }", n.TypeMismatch, 1, 20, "type number; it is of type monetary"),
    Mistake("vars { number $a = meta(@a, EUR) }", n.TypeMismatch, 1, 29, "type string"),
    Mistake("save [EUR 1] from 5", n.TypeMismatch, 1, 19, "type account"),
    Mistake("save [5 *] from @a", n.SyntaxRefused, 1, 7, "Unexpected “5”"),
    Mistake(
        "send [EUR 1] (source = @world destination = {\n1/2 to @a\n1/3 to @b})",
        n.AllotmentInvalid, 1, 45, "sum to 5/6",
    ),
    Mistake(
        "send [EUR 1] (source = @world destination = {2/3 to @a 1/2 to @b remaining kept})",
        n.AllotmentInvalid, 1, 45, "sum to 7/6",
    ),
    Mistake(
        "send [EUR 1] (source = @world destination = {3/2 to @a remaining kept})", n.AllotmentInvalid, 1, 46, "3/2"
    ),
    Mistake("send [EUR 1] (source = @a destination = {1/0 to @a remaining kept})", n.DivisionByZero, 1, 44, "by 0"),
    Mistake("send [EUR *] (source = {1/2 from @a 1/2 from @b} destination = @c)", n.AllotmentInvalid, 1, 24, "All of"),
    Mistake("send [EUR *] (source = @a allowing unbounded overdraft destination = @c)", n.UnboundedSource, 1, 24, "All"),
    Mistake("send [EUR 1] (source = oneof {@a} destination = @c)", n.FeatureNotEnabled, 1, 24, "experimental-oneof"),
    Mistake(
        "send [EUR 1] (source = @world destination = oneof {remaining kept})", n.FeatureNotEnabled, 1, 45, "oneof"
    ),
    Mistake('send [EUR 1] (source = @a \\ "RED" destination = @c)', n.FeatureNotEnabled, 1, 29, "asset-colors"),
    Mistake(
        "send [EUR 1] (source = @a with scaling through @b destination = @c)", n.FeatureNotEnabled, 1, 24, "scaling"
    ),
    Mistake(
        "vars { string $a }\nsend [EUR 1] (source = @x:$a destination = @c)",
        n.FeatureNotEnabled, 2, 24, "interpolation",
    ),
    Mistake("send balance(@a, EUR) (source = @a destination = @b)", n.FeatureNotEnabled, 1, 6, "mid-script"),
    Mistake("vars { monetary $a = overdraft(@a, EUR) }", n.FeatureNotEnabled, 1, 22, "overdraft-function"),
    Mistake("vars { asset $a = get_asset([EUR 1]) }", n.FeatureNotEnabled, 1, 19, "get-asset"),
    Mistake("vars { number $a = get_amount([EUR 1]) }", n.FeatureNotEnabled, 1, 20, "get-amount"),
    Mistake(
        '#![feature("experimental-mid-script-function-call")]\nset_tx_meta("a", meta(@a, "b"))',
        n.SyntaxRefused, 2, 18, "whole origin",
    ),
    Mistake(
        '#![feature("experimental-account-interpolation")]\nvars { asset $a }\nset_tx_meta("a", @x:$a)',
        n.TypeMismatch, 3, 21, "cannot be part of an account",
    ),
]  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.source[:40] for mistake in MISTAKES])
def test_parse_names_the_place_when_the_script_is_wrong(mistake: Mistake) -> None:
    with pytest.raises(n.NumscriptError) as caught:
        n.parse(mistake.source)
    assert (type(caught.value), caught.value.line, caught.value.column) == (mistake.error, mistake.line, mistake.column)
    assert mistake.says in caught.value.message


class Failure(NamedTuple):
    source: str
    given: dict[str, n.Given]
    error: type[n.NumscriptError]
    line: int
    column: int
    says: str


MONEY = "vars {\n  monetary $m\n}\n"
FAILURES = [
    Failure(SEND.replace("@world", "@b"), {}, n.MissingFunds, 1, 24, "[EUR 1] needed, [EUR 0] available"),
    Failure(
        "send [EUR 9] (\n source = {\n 1/3 from @world\n 2/3 from {@a @b}\n}\n destination = @c)",
        {}, n.MissingFunds, 4, 11, "[EUR 6] needed, [EUR 0] available",
    ),
    Failure(MONEY + "send $m (source = @world destination = @a)", {"m": "EUR -1"}, n.NegativeAmount, 4, 6, "[EUR -1]"),
    Failure(MONEY + "save $m from @a", {"m": "EUR -1"}, n.NegativeAmount, 4, 6, "[EUR -1]"),
    Failure(
        MONEY + "send $m + [EUR 1] (source = @world destination = @a)", {"m": "USD 1"}, n.AssetMismatch, 4, 11, "USD and EUR"
    ),
    Failure(
        MONEY + "send [EUR 1] (source = max $m from @world destination = @a)",
        {"m": "USD 1"}, n.AssetMismatch, 4, 28, "amount of USD, but EUR",
    ),
    Failure(
        MONEY + "send [EUR 1] (source = @world destination = {max $m to @a remaining kept})",
        {"m": "USD 1"}, n.AssetMismatch, 4, 50, "amount of USD",
    ),
    Failure(
        "vars { number $n }\nsend [EUR 1] (source = @world destination = {1/$n to @a remaining kept})",
        {"n": 0}, n.DivisionByZero, 2, 48, "1/0",
    ),
    Failure(
        "vars { number $n }\nsend [EUR 1] (source = @world destination = {$n/2 to @a remaining kept})",
        {"n": -1}, n.AllotmentInvalid, 2, 46, "-1/2",
    ),
    Failure(
        "vars { portion $p }\nsend [EUR 1] (source = @world destination = {$p to @a 1/2 to @b})",
        {"p": "1/3"}, n.AllotmentInvalid, 2, 45, "sum to 5/6",
    ),
    Failure(
        "vars { account $a }\nsend [EUR *] (source = $a destination = @b)",
        {"a": "world"}, n.UnboundedSource, 2, 24, "no end",
    ),
    Failure("vars {\n  monetary $m = balance(@low, EUR)\n}", {}, n.NegativeBalance, 2, 17, "[EUR -5]"),
    Failure('vars {\n  number $m = meta(@low, "n")\n}', {}, n.MetadataMissing, 2, 15, "@low has no metadata “n”"),
    Failure('vars {\n  number $m = meta(@shop, "fee")\n}', {}, n.VariableInvalid, 2, 15, "'1%' is not"),
    Failure(
        '#![feature("experimental-asset-colors")]\nsend [EUR 1] (source = @world \\ "red" destination = @b)',
        {}, n.VariableInvalid, 2, 33, "'red'",
    ),
    Failure(
        '#![feature("experimental-account-interpolation")]\nvars { string $s }\nset_tx_meta("a", @x:$s)',
        {"s": "!"}, n.VariableInvalid, 3, 21, "'!' cannot be part",
    ),
    Failure(
        '#![feature("experimental-asset-scaling")]\n'
        "send [EUR 1] (source = @world with scaling through @swap destination = @b)",
        {}, n.UnboundedSource, 2, 24, "no end",
    ),
    Failure(
        '#![feature("experimental-asset-scaling")]\n'
        "send [EUR/99 1] (source = @a with scaling through @swap destination = @b)",
        {}, n.LimitExceeded, 2, 27, "36 decimals",
    ),
]  # fmt: skip


@pytest.mark.parametrize("failure", FAILURES, ids=[failure.source[-40:] for failure in FAILURES])
def test_execute_names_the_place_when_it_fails(failure: Failure) -> None:
    program = n.parse(failure.source)
    with pytest.raises(n.NumscriptError) as caught:
        n.execute(program, failure.given, balances={("low", "EUR"): -5}, metadata={"shop": {"fee": "1%"}})
    assert (type(caught.value), caught.value.line, caught.value.column) == (failure.error, failure.line, failure.column)
    assert failure.says in caught.value.message


def test_missing_funds_carry_what_was_needed_and_available() -> None:
    program = n.parse("send [EUR 10] (source = {@a @b} destination = @c)")
    with pytest.raises(n.MissingFunds) as caught:
        n.execute(program, {}, balances={("a", "EUR"): 3, ("b", "EUR"): 4})
    assert (caught.value.asset, caught.value.needed, caught.value.available) == ("EUR", 10, 7)


def test_an_error_is_shown_with_its_line_and_a_caret() -> None:
    source = "send [EUR 1] (\n\tsource = @a @b\n)"
    with pytest.raises(n.SyntaxRefused) as caught:
        n.parse(source)
    shown = pointed_out(caught.value, source).splitlines()
    assert shown[0].endswith("(line 2, column 14)")
    assert shown[1:] == ["  2 |  source = @a @b", "    |              ^"]
    assert shown[1].index("@b") == shown[2].index("^")


def test_an_error_far_in_a_long_line_is_still_pointed_at() -> None:
    source = " " * 5000 + "send 5 (source = @a destination = @b)"
    with pytest.raises(n.TypeMismatch) as caught:
        n.parse(source)
    shown = pointed_out(caught.value, source).splitlines()
    assert len(shown[1]) < 140
    assert shown[1].index("5 (") == shown[2].index("^")
