"""What holds for every script: made by hypothesis, and kept as text, so that reading is part of it."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.numscript import Feature, Kind, MissingFunds, NumscriptError, Program, Sent, execute, parse, pointed_out
from ledger.numscript.allotments import shared

UNHURRIED = settings(deadline=None)
"""The grammar is built at the first script, and the machine may be busy."""

ACCOUNTS = ["a", "b", "c:1", "d"]
FEATURES = list(Feature)
SCRIPTS = [path.read_text(encoding="utf-8") for path in sorted((Path(__file__).parent / "cases").rglob("*.num"))]

account = st.sampled_from(["@" + name for name in ACCOUNTS])
cap = st.integers(-20, 200).map(lambda amount: f"[EUR {amount}]")


def _split(parts: Sequence[str], numbers: Sequence[int], word: str) -> str:
    whole = sum(numbers) or 1
    clauses = [f"{number}/{whole} {word} {part}" for number, part in zip(numbers[:-1], parts[:-1], strict=True)]
    return "{ " + " ".join([*clauses, f"remaining {word} {parts[-1]}"]) + " }"


def _splits(inner: st.SearchStrategy[str], word: str) -> st.SearchStrategy[str]:
    return st.lists(st.tuples(inner, st.integers(0, 9)), min_size=1, max_size=4).map(
        lambda rows: _split([part for part, _ in rows], [number for _, number in rows], word)
    )


sources = st.recursive(
    st.one_of(
        account,
        st.just("@world"),
        st.tuples(account, cap).map(lambda pair: f"{pair[0]} allowing overdraft up to {pair[1]}"),
        account.map(lambda name: f"{name} allowing unbounded overdraft"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: "{ " + " ".join(parts) + " }"),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: "oneof { " + " ".join(parts) + " }"),
        st.tuples(cap, inner).map(lambda pair: f"max {pair[0]} from {pair[1]}"),
        _splits(inner, "from"),
    ),
    max_leaves=8,
)


def _clauses(rows: Sequence[tuple[str, str]], rest: str) -> str:
    return " ".join([*(f"max {bound} {_target(part)}" for bound, part in rows), f"remaining {_target(rest)}"])


def _target(part: str) -> str:
    return part if part == "kept" else f"to {part}"


def _destinations(*, kept: bool) -> st.SearchStrategy[str]:
    leaves = st.one_of(account, st.just("kept")) if kept else account
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.tuples(st.lists(st.tuples(cap, inner), max_size=3), inner).map(lambda pair: f"{{ {_clauses(*pair)} }}"),
            st.tuples(st.lists(st.tuples(cap, inner), max_size=3), inner).map(
                lambda pair: f"oneof {{ {_clauses(*pair)} }}"
            ),
        ),
        max_leaves=6,
    ).filter(lambda part: part != "kept")


balances = st.dictionaries(st.sampled_from([(name, "EUR") for name in ACCOUNTS]), st.integers(-50, 300))


def _send(amount: str, source: str, destination: str) -> str:
    return f"send {amount} (source = {source} destination = {destination})"


def _ran(script: str, held: dict[tuple[str, ...], int]) -> tuple[Sent, ...] | None:
    """Return the postings, or None when funds are missing. Nothing else may happen to these scripts."""
    program = parse(script, features=FEATURES)
    try:
        return execute(program, {}, balances=held).postings
    except MissingFunds as raised:
        missing = raised
    assert 0 <= missing.available < missing.needed
    return None


@given(st.integers(0, 500), sources, _destinations(kept=False), balances)
@UNHURRIED
def test_the_postings_of_a_send_sum_to_its_amount(
    amount: int, source: str, destination: str, held: dict[tuple[str, ...], int]
) -> None:
    postings = _ran(_send(f"[EUR {amount}]", source, destination), held)
    if postings is not None:
        assert sum(sent.amount for sent in postings) == amount
        assert all(sent.amount > 0 for sent in postings)


@given(st.integers(0, 500), sources, _destinations(kept=True), balances)
@UNHURRIED
def test_what_is_kept_is_not_posted_and_stays_with_its_accounts(
    amount: int, source: str, destination: str, held: dict[tuple[str, ...], int]
) -> None:
    """A second send of everything then finds exactly what the first one left."""
    then = "".join(f"\nsend [EUR *] (source = @{name} destination = @end:{name[0]})" for name in ACCOUNTS)
    first = _ran(_send(f"[EUR {amount}]", source, destination), held)
    both = _ran(_send(f"[EUR {amount}]", source, destination) + then, held)
    if first is None or both is None:
        assert first is both is None
        return
    assert both[: len(first)] == first
    assert sum(sent.amount for sent in first) <= amount
    after = {name: held.get((name, "EUR"), 0) for name in ACCOUNTS}
    for sent in first:
        for name, change in ((sent.source, -sent.amount), (sent.destination, sent.amount)):
            after[name] = after.get(name, 0) + change
    swept = {sent.source: sent.amount for sent in both[len(first) :]}
    assert swept == {name: amount for name, amount in after.items() if amount > 0 and name in ACCOUNTS}


@dataclass(frozen=True, slots=True)
class Bounded:
    """Sources in order on few accounts, the largest overdraft of each known."""

    script: str
    bounds: dict[str, int]


@st.composite
def bounded_sources(draw: st.DrawFn) -> Bounded:
    rows = draw(st.lists(st.tuples(st.sampled_from(ACCOUNTS), st.one_of(st.none(), st.integers(-20, 100))), min_size=1))
    bounds: dict[str, int] = {}
    parts = []
    for name, bound in rows:
        bounds[name] = max(bounds.get(name, 0), bound or 0)
        parts.append(f"@{name}" if bound is None else f"@{name} allowing overdraft up to [EUR {bound}]")
    wrapped = draw(st.sampled_from(["{ %s }", "oneof { { %s } @world }", "{ %s @world }", "max [EUR 90] from { %s }"]))
    return Bounded(wrapped % " ".join(parts), bounds)


@given(st.integers(0, 500), bounded_sources(), st.sampled_from(["[EUR %d]", "[EUR *]"]), balances)
@UNHURRIED
def test_no_account_goes_below_its_overdraft(
    amount: int, source: Bounded, sent: str, held: dict[tuple[str, ...], int]
) -> None:
    text = sent % amount if "%" in sent else sent
    if text == "[EUR *]" and "@world" in source.script:
        text = f"[EUR {amount}]"
    postings = _ran(_send(text, source.script, "@end") * 2, held)
    for name, bound in source.bounds.items():
        before = held.get((name, "EUR"), 0)
        taken = sum(posting.amount for posting in postings or () if posting.source == name)
        assert before - taken >= min(before, -bound)


@given(st.integers(0, 2**130), st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(any))
@UNHURRIED
def test_shares_are_exact_and_a_unit_from_their_portion_at_most(amount: int, weights: list[int]) -> None:
    parts = shared(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        exact = Fraction(amount * weight, sum(weights))
        assert exact - 1 < part <= exact + 1
    extra = [part - amount * weight // sum(weights) for part, weight in zip(parts, weights, strict=True)]
    assert extra == sorted(extra, reverse=True)


@given(st.integers(0, 10**30), st.integers(0, 1000), st.integers(1, 1000))
@UNHURRIED
def test_a_script_splits_as_the_shares_say(amount: int, first: int, rest: int) -> None:
    whole = first + rest
    script = _send(f"[EUR {amount}]", "@world", f"{{ {first}/{whole} to @a remaining to @b }}")
    found = {sent.destination: sent.amount for sent in _ran(script, {}) or ()}
    assert [found.get("a", 0), found.get("b", 0)] == shared(amount, [first, rest])


@given(st.text(max_size=300))
@UNHURRIED
def test_any_text_is_read_or_refused(text: str) -> None:
    _read_or_refused(text)


WORDS = (
    "send save vars max from to kept remaining oneof allowing unbounded overdraft up with scaling through account source"
    " destination = @a $b EUR 12 1/2 50% 'text' balance( #![feature( // /* */ \0 é ٣"
)
TOKENS = st.sampled_from([*'\n{}()[]\\*=+-/,:$@"', *WORDS.replace("'", '"').split(" ")])


@given(st.lists(TOKENS, max_size=60).map(" ".join))
@UNHURRIED
def test_any_words_are_read_or_refused(text: str) -> None:
    _read_or_refused(text)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    """A script of ours with some places cut, doubled, changed, or swapped for words of the language."""
    text = draw(st.sampled_from(SCRIPTS))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 12)))
        put = draw(st.one_of(TOKENS, st.just(text[start:end] * 2), st.text(max_size=3)))
        text = text[:start] + put + text[end:]
    return text


@given(mutated())
@settings(UNHURRIED, max_examples=400)
def test_a_mutated_script_is_read_or_refused_and_executed_or_refused(text: str) -> None:
    _read_or_refused(text)


def _read_or_refused(text: str) -> None:
    """Nothing but a NumscriptError, whose place lies within the text; the same for executing what was read."""
    try:
        program = parse(text, features=FEATURES)
    except NumscriptError as raised:
        refused = raised
    else:
        _executed_or_refused(program)
        return
    assert 1 <= refused.line <= text.count("\n") + 1
    assert refused.column >= 1
    assert pointed_out(refused, text).startswith(refused.message)


def _executed_or_refused(program: Program) -> None:
    texts = {Kind.MONETARY: "EUR 7", Kind.NUMBER: "3", Kind.ASSET: "EUR"}
    values = {variable.name: texts.get(variable.kind, "1/2") for variable in program.variables}
    with suppress(NumscriptError):
        run = execute(program, values, balances={("a", "EUR"): 5}, unbounded=lambda address: address == "b")
        assert all(sent.amount > 0 for sent in run.postings)
    with suppress(NumscriptError):
        program.balances_needed(values)
