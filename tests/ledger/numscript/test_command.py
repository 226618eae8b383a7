"""`manage.py numscript`, as finance types it: what it prints, and with which status it ends."""

import json
from pathlib import Path

import pytest

from tests.ledger.numscript.test_cases import OWN
from tests.management import Ended, manage

PAY = """vars { monetary $amount }
send $amount (
  source = @users:1
  destination = { 10% to @fees remaining to @shop }
)
set_tx_meta("paid", $amount)
set_account_meta(@shop, "last", $amount)
"""


@pytest.fixture
def pay(tmp_path: Path) -> Path:
    file = tmp_path / "pay.num"
    file.write_text(PAY, encoding="utf-8")
    return file


def _specs(script: Path, *cases: object, **rest: object) -> Path:
    file = script.with_name(script.name + ".specs.json")
    file.write_text(json.dumps({"testCases": cases, **rest}), encoding="utf-8")
    return file


def _run(*arguments: object) -> Ended:
    return manage("numscript", *(str(argument) for argument in arguments))


GOOD = {
    "it": "pays",
    "variables": {"amount": "EUR 100"},
    "balances": [{"account": "users:1", "asset": "EUR", "amount": 100}],
    "expect.postings": [
        {"source": "users:1", "destination": "fees", "asset": "EUR", "amount": 10},
        {"source": "users:1", "destination": "shop", "asset": "EUR", "amount": 90},
    ],
}
WRONG = {
    **GOOD,
    "it": "pays too much",
    "expect.postings": [{"source": "users:1", "destination": "shop", "asset": "EUR", "amount": 91}],
    "expect.endBalances": [{"account": "shop", "asset": "EUR", "amount": 91}],
}
POOR = {"it": "is poor", "variables": {"amount": "EUR 1"}}


def test_our_own_cases_pass_from_the_command_line() -> None:
    ended = _run("test", OWN)
    assert ended.status == 0
    assert ended.out.splitlines()[-1] == "60 passed, 0 failed"


def test_status_is_1_and_the_difference_is_shown_when_a_case_fails(pay: Path) -> None:
    _specs(pay, GOOD, WRONG, POOR, {**POOR, "expect.error.missingFunds": True})
    ended = _run("test", pay.parent)
    assert ended.status == 1
    lines = [line.strip() for line in ended.out.splitlines()]
    assert lines[-1] == "2 passed, 2 failed"
    assert f"FAILED {pay}.specs.json: pays too much" in lines
    start = lines.index("expect.postings")
    assert lines[start + 1 : start + 6] == [
        "expected:",
        "users:1  shop  EUR  91",
        "got:",
        "users:1  fees  EUR  10",
        "users:1  shop  EUR  90",
    ]
    assert "expect.endBalances" in lines
    assert "Not enough funds: [EUR 1] needed, [EUR 0] available. (line 3, column 12)" in lines


@pytest.mark.parametrize("named", ["pay.num", "pay.num.specs.json", "."])
def test_a_script_its_cases_or_their_folder_may_be_named(pay: Path, named: str) -> None:
    _specs(pay, GOOD)
    ended = _run("test", pay.parent / named)
    assert (ended.status, ended.out.splitlines()[-1]) == (0, "1 passed, 0 failed")


@pytest.mark.parametrize(
    "case, says",
    [
        ({**GOOD, "expect.error.negativeAmount": True}, "expect.error.negativeAmount"),
        ({**POOR, "expect.error.negativeAmount": True}, "Not enough funds"),
        ({**GOOD, "expect.error.missingFunds": True}, "no error"),
        ({**GOOD, "expect.txMetadata": {"paid": "EUR 99"}}, "paid  EUR 100"),
        ({**GOOD, "expect.metadata": {}}, "shop  last  EUR 100"),
        ({**GOOD, "expect.movements": []}, "users:1  fees  EUR  10"),
        ({**GOOD, "expect.endBalances": []}, "shop  EUR  90"),
        ({**GOOD, "expect.endBalances.include": [{"account": "a", "asset": "EUR", "amount": 1}]}, "a  EUR  1"),
        ({**GOOD, "expect.posting": []}, "expect.posting"),
        ({**GOOD, "variables": {}}, "$amount is missing"),
        ({**GOOD, "expect.postings": []}, "nothing"),
    ],
)
def test_each_expectation_can_fail(pay: Path, case: dict[str, object], says: str) -> None:
    _specs(pay, case)
    ended = _run("test", pay)
    assert (ended.status, ended.out.splitlines()[-1]) == (1, "0 passed, 1 failed")
    assert says in ended.out


def test_cases_may_be_skipped_or_looked_at_alone(pay: Path) -> None:
    _specs(pay, GOOD, {**WRONG, "skip": True})
    assert _run("test", pay).out.splitlines() == [f"skipped {pay}.specs.json: pays too much", "1 passed, 0 failed"]
    _specs(pay, {**GOOD, "focus": True}, WRONG)
    assert _run("test", pay).out.splitlines()[-1] == "1 passed, 0 failed"


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "1", '{"testCases": [{"it": "\\ud800"}]}', "1" * 5000, '{"testCases": 1}',
        '{"testCases": []}', '{"testCases": [1]}', "[" * 100_000,
        '{"testCases": [{"balances": 5}]}', '{"testCases": [{"balances": [5]}]}', '{"testCases": [{"variables": []}]}',
        '{"testCases": [{"variables": {"amount": null}}]}', '{"testCases": [{"metadata": 5}]}',
        '{"testCases": [{"balances": {"a": {"EUR": "1"}}}]}', '{"featureFlags": 1, "testCases": [{}]}',
        '{"testCases": [{"balances": [{"account": "a", "asset": "EUR", "amount": 1.5}]}]}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_file_of_cases_counts_as_failed(pay: Path, content: str) -> None:
    pay.with_name("pay.num.specs.json").write_text(content, encoding="utf-8")
    ended = _run("test", pay)
    assert (ended.status, ended.out.splitlines()[-1]) == (1, "0 passed, 1 failed")
    assert "pay.num.specs.json" in ended.out
    assert "Traceback" not in ended.out + ended.err


def test_a_script_that_is_not_there_or_wrong_fails_its_cases(pay: Path) -> None:
    specs = _specs(pay, GOOD)
    pay.write_text("send", encoding="utf-8")
    assert "ends too early" in _run("test", pay.parent).out
    pay.write_bytes(b"\xff")
    assert "cannot be read" in _run("test", pay.parent).out
    pay.unlink()
    ended = _run("test", specs)
    assert (ended.status, ended.out.splitlines()[-1]) == (1, "0 passed, 1 failed")
    assert "pay.num, beside the cases, cannot be read" in ended.out


def test_files_are_read_when_an_editor_put_a_mark_before_them(pay: Path, tmp_path: Path) -> None:
    pay.write_text(PAY, encoding="utf-8-sig")
    cases = _specs(pay, GOOD)
    cases.write_text(cases.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert _run("test", pay).out.splitlines()[-1] == "1 passed, 0 failed"
    given = {"--vars": '{"amount": "EUR 100"}', "--balances": '{"users:1": {"EUR": 100}}'}
    for name, content in given.items():
        (tmp_path / name).write_text(content, encoding="utf-8-sig")
    ended = _run("run", pay, *(part for name in given for part in (name, tmp_path / name)))
    assert (ended.status, ended.err) == (0, "")
    assert "paid = EUR 100" in ended.out


def test_a_path_without_cases_counts_as_failed(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing", tmp_path / "nothing.num"):
        ended = _run("test", path)
        assert (ended.status, ended.out.splitlines()[-1]) == (1, "0 passed, 1 failed")


def test_run_shows_the_postings_as_a_table(pay: Path, tmp_path: Path) -> None:
    balances = tmp_path / "balances.json"
    balances.write_text('{"users:1": {"EUR": 100}}', encoding="utf-8")
    ended = _run("run", pay, "--vars", '{"amount": "EUR 100"}', "--balances", balances)
    assert ended.status == 0
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ended.out.splitlines() if "│" in line]
    assert rows == [["users:1", "fees", "EUR", "10"], ["users:1", "shop", "EUR", "90"]]
    assert "transaction metadata: paid = EUR 100" in ended.out
    assert "account metadata: shop: last = EUR 100" in ended.out


def test_run_takes_metadata_and_features(tmp_path: Path) -> None:
    file = tmp_path / "meta.num"
    file.write_text(
        'vars { account $a = meta(@b, "k") }\nsend [EUR 1] (source = oneof {@world \\ "RED"} destination = $a)',
        encoding="utf-8",
    )
    named = ["--features", "experimental-oneof", "experimental-asset-colors"]
    ended = _run("run", file, "--meta", '{"b": {"k": "c"}}', *named)
    assert ended.status == 0
    assert [cell.strip() for cell in ended.out.splitlines()[3].split("│")[1:-1]] == ["world", "c", "EUR", "RED", "1"]


def test_run_says_so_when_nothing_is_posted(tmp_path: Path) -> None:
    file = tmp_path / "nothing.num"
    file.write_text("", encoding="utf-8")
    assert _run("run", file).out == "No postings.\n"


def test_run_shows_an_error_with_its_line_and_a_caret(pay: Path) -> None:
    ended = _run("run", pay, "--vars", '{"amount": "EUR 100"}')
    assert ended.status == 1
    assert ended.err.splitlines() == [
        f"CommandError: {pay}: Not enough funds: [EUR 100] needed, [EUR 0] available. (line 3, column 12)",
        "  3 |   source = @users:1",
        "    |            ^",
    ]


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["--vars", "{"], "--vars is not readable as JSON"),
        (["--vars", '{"amount": "\\ud800"}'], "--vars is not readable as JSON"),
        (["--vars", "nowhere.json"], "--vars is neither JSON nor a file"),
        (["--vars", "[]"], "variables has to be an object"),
        (["--vars", '{"amount": {}}'], "the variable amount has to be a text"),
        (["--vars", '{"amount": "100"}'], "$amount has to be an amount of an asset"),
        (["--balances", '{"a": 1}'], "the balances of a has to be an object"),
        (["--balances", '{"a": {"EUR": true}}'], "a balance has to be a whole number"),
        (["--meta", '{"a": 1}'], "metadata has to be a list"),
        ([], "The variable $amount is missing"),
        (["--nothing"], "unrecognized arguments"),
        (["--features", "experimental-one-of"], "invalid choice: 'experimental-one-of'"),
    ],
)
def test_bad_input_is_a_message_and_a_status(pay: Path, arguments: list[str], says: str) -> None:
    ended = _run("run", pay, *arguments)
    assert ended.status in (1, 2)
    assert says in ended.err
    assert ended.out == ""


def test_a_file_that_cannot_be_read_is_a_message(tmp_path: Path) -> None:
    ended = _run("run", tmp_path)
    assert ended.status == 1
    assert "cannot be read" in ended.err
