"""The cases of our own, and the language's own where they lie beside the project. Says how many of each were run."""

from pathlib import Path

import pytest

from ledger.numscript import Feature
from ledger.numscript.specs import Verdict, check, found

OWN = Path(__file__).parent / "cases"
LANGUAGE = Path(__file__).resolve().parents[4] / "shared" / "numscript-specs"


def _verdicts(folder: Path) -> list[Verdict]:
    return [verdict for path in found(folder) for verdict in check(path)]


def _say(capsys: pytest.CaptureFixture[str], line: str) -> None:
    with capsys.disabled():
        print(f"\n    {line}", end=" ")


def test_our_own_cases_pass(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = _verdicts(OWN)
    _say(capsys, f"Numscript: {len(verdicts)} cases of our own in {len(found(OWN))} files")
    assert [verdict for verdict in verdicts if verdict.mismatches or verdict.skipped] == []
    assert len(verdicts) >= 60


def test_the_languages_own_cases_pass_where_they_lie_beside_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = _verdicts(LANGUAGE) if LANGUAGE.is_dir() else []
    where = "beside the project" if LANGUAGE.is_dir() else "not there: only our own cases say anything"
    _say(capsys, f"Numscript: {len(verdicts)} cases of the language's own ({where})")
    assert [verdict for verdict in verdicts if verdict.mismatches] == []
    assert len(verdicts) >= 92 or not LANGUAGE.is_dir()


def test_every_experimental_feature_has_a_case() -> None:
    asked = {
        feature
        for path in found(OWN)
        for feature in Feature
        if f'"{feature}"' in path.with_name(path.name.removesuffix(".specs.json")).read_text(encoding="utf-8")
    }
    assert asked == set(Feature)
    assert len(Feature) == 8
