"""make test: every check runs, each within its budget, and a missing browser is never silent."""

import sys

import pytest

from config.local import checks
from config.local.checks import Check, run_checks
from config.local.places import ROOT
from tests import parts

SECONDS = "import time; time.sleep(1.2)"


def _python(code: str, name: str = "tests", **more: bool) -> Check:
    return Check(name, (sys.executable, "-c", code), budget=30, **more)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    known: list[Check] = []
    monkeypatch.setattr(checks, "checks", lambda: known)
    monkeypatch.setattr(checks, "chromium", lambda: None)
    monkeypatch.delenv("REQUIRE_BROWSER", raising=False)
    return known


def test_all_checks_run_and_all_failures_are_named(given: list[Check], capfd: pytest.CaptureFixture[str]) -> None:
    given += [_python("raise SystemExit(3)", "a"), _python("print('b ran')", "b"), _python("raise SystemExit(1)", "c")]
    assert run_checks(only=[], budgets={}) == 1
    said = capfd.readouterr().out
    assert "b ran" in said
    assert "a: failed (3)" in said
    assert "failed: a, c" in said


def test_all_is_well_when_every_check_passes(given: list[Check], capfd: pytest.CaptureFixture[str]) -> None:
    given.append(_python("pass"))
    assert run_checks(only=[], budgets={}) == 0
    assert "every check passed" in capfd.readouterr().out


def test_check_fails_when_it_is_over_its_budget(given: list[Check], capfd: pytest.CaptureFixture[str]) -> None:
    given.append(_python(SECONDS))
    assert run_checks(only=[], budgets={"tests": 1}) == 1
    assert "over its budget of 1 s" in capfd.readouterr().out


def test_browser_tests_are_left_out_loudly_when_there_is_no_browser(
    given: list[Check], capfd: pytest.CaptureFixture[str]
) -> None:
    given.append(_python("raise SystemExit(1)", "browser", needs_browser=True))
    assert run_checks(only=[], budgets={}) == 0
    assert "NO CHROMIUM FOUND" in capfd.readouterr().out


def test_missing_browser_is_a_failure_when_it_is_required(
    given: list[Check], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REQUIRE_BROWSER", "1")
    given.append(_python("pass", "browser", needs_browser=True))
    assert run_checks(only=[], budgets={}) == 1
    assert "REQUIRE_BROWSER=1 asks for it" in capfd.readouterr().out


def test_checks_do_not_see_the_local_stack_of_the_shell(given: list[Check], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somewhere/else")
    monkeypatch.setenv("HOLDFAST_LOCAL", "1")
    given.append(_python("import os; raise SystemExit('DATABASE_URL' in os.environ or 'HOLDFAST_LOCAL' in os.environ)"))
    assert run_checks(only=[], budgets={}) == 0


def test_parts_run_beside_each_other_and_one_that_fails_is_a_failure(
    given: list[Check], capfd: pytest.CaptureFixture[str]
) -> None:
    code = "import os; part = os.environ['TEST_PART']; print('part', part); raise SystemExit(part == '2/3' and 4)"
    given.append(Check("tests", (sys.executable, "-c", code), budget=30, parts=3))
    assert run_checks(only=[], budgets={}) == 1
    said = capfd.readouterr().out
    assert all(f"part {number}/3" in said for number in (1, 2, 3))
    assert "tests: failed (4)" in said


def test_every_file_is_in_exactly_one_part() -> None:
    files = [f"tests/test_{number}.py" for number in range(40) for _ in range(number + 1)]
    parts_of = [parts.files_of(number, 3, files) for number in (1, 2, 3)]
    assert frozenset.union(*parts_of) == set(files)
    assert sum(map(len, parts_of)) == 40
    loads = [sum(file in one for file in files) for one in parts_of]
    assert max(loads) - min(loads) <= 5


def test_long_file_weighs_its_seconds_and_not_its_tests() -> None:
    file = max(parts.LONG, key=lambda name: parts.LONG[name])
    others = [f"tests/test_{number}.py" for number in range(40)]
    (mine,) = (found for number in (1, 2) if file in (found := parts.files_of(number, 2, [file, *others])))
    assert mine == {file}


def test_long_files_are_there() -> None:
    assert [file for file in parts.LONG if not (ROOT / file).is_file()] == []


def test_unknown_check_is_an_error(given: list[Check]) -> None:
    assert run_checks(only=["nonsense"], budgets={}) == 2


def test_makefile_has_a_budget_for_each_check() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for check in checks.checks():
        assert f"{check.name}=" in makefile


def test_continuous_integration_requires_the_browser_and_runs_every_check() -> None:
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert script[-1] == "REQUIRE_BROWSER=1 make test"
