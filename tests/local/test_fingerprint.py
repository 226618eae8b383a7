"""The database is brought up again when anything that it was made from has changed."""

from pathlib import Path

import pytest

from config.local import fingerprint as subject


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(subject, "ROOT", tmp_path)
    for name in ("requirements", "ledger/sql", "config/settings"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "requirements" / "runtime.txt").write_text("django==5.2\n")
    (tmp_path / "ledger" / "sql" / "post.sql").write_text("SELECT 1")
    (tmp_path / "ledger" / "money.py").write_text("")
    return tmp_path


def test_fingerprint_stays_when_nothing_changes(sources: Path) -> None:
    before = subject.fingerprint(besides=["a"])
    (sources / "ledger" / "notes.txt").write_text("no source")
    assert subject.fingerprint(besides=["a"]) == before


@pytest.mark.parametrize("changed", ["requirements/runtime.txt", "ledger/sql/post.sql", "ledger/new.py"])
def test_fingerprint_changes_with_a_source(sources: Path, changed: str) -> None:
    before = subject.fingerprint(besides=["a"])
    (sources / changed).write_text("changed")
    assert subject.fingerprint(besides=["a"]) != before


def test_fingerprint_changes_with_an_address(sources: Path) -> None:
    assert subject.fingerprint(besides=["a", "b"]) != subject.fingerprint(besides=["ab"])
