"""Cases beside a script: `pay.num.specs.json` says for `pay.num` what is given and what is expected.

The format is the language's own. File-level and case-level `balances`, `variables` and `metadata` are put together, the
case's going before; `expect.…` keys say what is compared, and only those are.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.numscript.errors import MissingFunds, NegativeAmount, NumscriptError, pointed_out
from ledger.numscript.program import Execution, Program, execute, parse
from ledger.numscript.run import Sent
from ledger.numscript.values import text

ENDING = ".num.specs.json"
ENCODING = "utf-8-sig"
"""UTF-8, with the mark that some editors put before it or without."""

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Object = Mapping[str, Json]
Held = dict[tuple[str, ...], int]
Rows = list[tuple[str | int, ...]]

_EXPECTED_ERRORS = {"expect.error.missingFunds": MissingFunds, "expect.error.negativeAmount": NegativeAmount}
_COMPARED = (
    "expect.postings",
    "expect.txMetadata",
    "expect.metadata",
    "expect.endBalances",
    "expect.endBalances.include",
    "expect.movements",
)


class SpecsInvalid(ValueError):
    """The file of cases cannot be read."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One expectation that was not met. Each line is one row: a posting, a balance, a value."""

    what: str
    expected: tuple[str, ...]
    got: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one case. Without mismatches it passed, unless it was skipped."""

    path: Path
    case: str
    mismatches: tuple[Mismatch, ...] = ()
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """What a script is given."""

    variables: dict[str, str | int]
    balances: Held
    metadata: dict[str, dict[str, str]]


def case_of(*, variables: Json, balances: Json, metadata: Json) -> Case:
    """Read what a script is given, in the same format as the cases. Raises SpecsInvalid."""
    return Case(_variables({"variables": variables}), _balances(balances), _metadata(metadata))


def found(path: Path) -> list[Path]:
    """Return the files of cases for a path: a folder's in order of name, a file's own, or the one beside a script."""
    if path.is_dir():
        return sorted(path.rglob("*" + ENDING))
    beside = path if path.name.endswith(ENDING) else path.with_name(path.name + ".specs.json")
    return [beside] if beside.is_file() else []


def check(path: Path) -> Iterator[Verdict]:
    """Run the cases of one file. Raises SpecsInvalid."""
    specs = _object(_read_json(path), "the file")
    script = path.with_name(path.name.removesuffix(".specs.json"))
    try:
        source = script.read_text(encoding=ENCODING)
    except (OSError, UnicodeDecodeError) as failed:
        raise SpecsInvalid(f"{script.name}, beside the cases, cannot be read: {failed}") from failed
    cases = [_object(case, "a case") for case in _list(specs.get("testCases", []), "testCases")]
    if not cases:
        raise SpecsInvalid("there is no case in testCases")
    features = [str(name) for name in _list(specs.get("featureFlags", []), "featureFlags")]
    try:
        program: Program | NumscriptError = parse(source, features=features)
    except NumscriptError as refused:
        program = refused
    focused = any(case.get("focus") is True for case in cases)
    for number, case in enumerate(cases, start=1):
        name = str(case.get("it", f"case {number}"))
        if case.get("skip") is True or (focused and case.get("focus") is not True):
            yield Verdict(path, name, skipped=True)
        else:
            yield Verdict(path, name, tuple(_mismatches(program, specs, case, source)))


def _mismatches(program: Program | NumscriptError, specs: Object, case: Object, source: str) -> Iterator[Mismatch]:
    unknown = sorted(key for key in case if key.startswith("expect") and key not in (*_EXPECTED_ERRORS, *_COMPARED))
    if unknown:
        yield Mismatch("the case", ("expectations that there are",), tuple(unknown))
    balances = {**_balances(specs.get("balances", [])), **_balances(case.get("balances", []))}
    expected_error = next((key for key in _EXPECTED_ERRORS if case.get(key) is True), None)
    try:
        if isinstance(program, NumscriptError):
            raise program
        run = execute(
            program,
            {**_variables(specs), **_variables(case)},
            balances=balances,
            metadata=_stored_metadata(specs, case),
        )
    except NumscriptError as failed:
        if expected_error is None or not isinstance(failed, _EXPECTED_ERRORS[expected_error]):
            expected = "no error" if expected_error is None else expected_error
            yield Mismatch("the execution", (expected,), tuple(pointed_out(failed, source).split("\n")))
        return
    if expected_error is not None:
        yield Mismatch("the execution", (expected_error,), ("no error", *_lines(_posting_rows(run.postings))))
    for what in _COMPARED:
        if (wanted := case.get(what)) is not None:
            yield from _compared(what, wanted, run, balances)


def _compared(what: str, wanted: Json, run: Execution, balances: Held) -> Iterator[Mismatch]:
    expected, got = _both(what, wanted, run, balances)
    if what != "expect.postings":
        expected, got = sorted(expected, key=str), sorted(got, key=str)
    if what == "expect.endBalances.include":
        got = [row for row in got if row[:-1] in {each[:-1] for each in expected}]
    if expected != got:
        yield Mismatch(what, _lines(expected), _lines(got))


def _both(what: str, wanted: Json, run: Execution, balances: Held) -> tuple[Rows, Rows]:
    """Return what is expected and what there is, as rows of one shape."""
    match what:
        case "expect.postings":
            return _rows_of_postings(wanted), _posting_rows(run.postings)
        case "expect.txMetadata":
            return (
                [(key, value) for key, value in _pairs(wanted)],
                [(key, text(value)) for key, value in run.transaction_metadata.items()],
            )
        case "expect.metadata":
            set_here = {
                address: {k: text(v) for k, v in kept.items()} for address, kept in run.account_metadata.items()
            }
            return _metadata_rows(_metadata(wanted)), _metadata_rows(set_here)
        case "expect.movements":
            return _movement_rows(_rows_of_postings(wanted)), _movement_rows(_posting_rows(run.postings))
        case _:
            included = what == "expect.endBalances.include"
            return _balance_rows(_balances(wanted), zero=included), _balance_rows(_after(balances, run), zero=included)


# --- rows


def _posting_rows(postings: Sequence[Sent]) -> Rows:
    return [(sent.source, sent.destination, sent.asset, sent.color, sent.amount) for sent in postings]


def _rows_of_postings(wanted: Json) -> Rows:
    rows: Rows = []
    for posting in _list(wanted, "a list of postings"):
        row = _object(posting, "a posting")
        names = (str(row.get("source")), str(row.get("destination")), str(row.get("asset")), str(row.get("color", "")))
        rows.append((*names, _integer(row.get("amount"), "amount")))
    return rows


def _movement_rows(postings: Rows) -> Rows:
    sums: dict[tuple[str | int, ...], int] = {}
    for *names, amount in postings:
        sums[tuple(names)] = sums.get(tuple(names), 0) + int(amount)
    return [(*names, amount) for names, amount in sums.items()]


def _balance_rows(balances: Held, *, zero: bool) -> Rows:
    return [(*key, *[""] * (3 - len(key)), amount) for key, amount in balances.items() if amount or zero]


def _after(balances: Held, run: Execution) -> Held:
    after = dict(balances)
    for sent in run.postings:
        for address, amount in ((sent.source, -sent.amount), (sent.destination, sent.amount)):
            key = (address, sent.asset, sent.color) if sent.color else (address, sent.asset)
            after[key] = after.get(key, 0) + amount
    return after


def _metadata_rows(metadata: Mapping[str, Mapping[str, str]]) -> Rows:
    return [(address, key, value) for address, kept in metadata.items() for key, value in kept.items()]


def _lines(rows: Rows) -> tuple[str, ...]:
    return tuple("  ".join(str(cell) for cell in row if cell != "") for row in rows) or ("nothing",)


# --- what the file says


def json_of(content: str) -> Json:
    """Read JSON whose texts can be written again: without halves of characters. Raises SpecsInvalid."""
    try:
        read: Json = json.loads(content)
        json.dumps(read, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as failed:
        raise SpecsInvalid(f"not readable as JSON: {failed}") from failed
    return read


def _read_json(path: Path) -> Json:
    try:
        return json_of(path.read_text(encoding=ENCODING))
    except (OSError, UnicodeDecodeError) as failed:
        raise SpecsInvalid(f"not readable: {failed}") from failed


def _object(content: Json, what: str) -> Object:
    if not isinstance(content, Mapping):
        raise SpecsInvalid(f"{what} has to be an object")
    return content


def _list(content: Json, what: str) -> Sequence[Json]:
    if isinstance(content, str) or not isinstance(content, Sequence):
        raise SpecsInvalid(f"{what} has to be a list")
    return content


def _integer(content: Json, what: str) -> int:
    if isinstance(content, bool) or not isinstance(content, int):
        raise SpecsInvalid(f"{what} has to be a whole number, not {content!r}")
    return content


def _variables(part: Object) -> dict[str, str | int]:
    given: dict[str, str | int] = {}
    for name, value in _object(part.get("variables", {}), "variables").items():
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise SpecsInvalid(f"the variable {name} has to be a text")
        given[name] = value
    return given


def _balances(content: Json) -> Held:
    """Read balances: a list of rows, or objects by account, asset and, below that, color."""
    held: Held = {}
    if isinstance(content, Mapping):
        for address, assets in content.items():
            for asset, amount in _object(assets, f"the balances of {address}").items():
                by_color = amount if isinstance(amount, Mapping) else {"": amount}
                for color, minor in by_color.items():
                    held[(address, asset, color) if color else (address, asset)] = _integer(minor, "a balance")
        return held
    for each in _list(content, "balances"):
        row = _object(each, "a balance")
        color = str(row.get("color", ""))
        pair = (str(row.get("account")), str(row.get("asset")))
        held[(*pair, color) if color else pair] = _integer(row.get("amount"), "the amount of a balance")
    return held


def _stored_metadata(specs: Object, case: Object) -> dict[str, dict[str, str]]:
    stored: dict[str, dict[str, str]] = {}
    for part in (specs, case):
        for address, kept in _metadata(part.get("metadata", {})).items():
            stored.setdefault(address, {}).update(kept)
    return stored


def _metadata(content: Json) -> dict[str, dict[str, str]]:
    """Read metadata: objects by account and key, or a list of rows."""
    stored: dict[str, dict[str, str]] = {}
    if isinstance(content, Mapping):
        return {address: dict(_pairs(kept)) for address, kept in content.items()}
    for each in _list(content, "metadata"):
        row = _object(each, "a row of metadata")
        stored.setdefault(str(row.get("account")), {})[str(row.get("key"))] = str(row.get("value"))
    return stored


def _pairs(content: Json) -> list[tuple[str, str]]:
    if isinstance(content, Mapping):
        return [(key, str(value)) for key, value in content.items()]
    rows = [_object(each, "a row of metadata") for each in _list(content, "metadata")]
    return [(str(row.get("key")), str(row.get("value"))) for row in rows]
