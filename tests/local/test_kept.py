"""What the local stack keeps: secrets that only their owner reads, and answers that a later run does not lose."""

import subprocess
from pathlib import Path

import pytest

from config.local.credentials import CredentialsLost, credentials
from config.local.kept import keep, read_kept
from config.local.shell import exports, read_exports


def test_credentials_are_drawn_once(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    drawn = credentials(path, database_exists=False)
    assert credentials(path, database_exists=True) == drawn
    assert path.stat().st_mode & 0o777 == 0o600
    assert len({drawn.superuser, drawn.owner, drawn.application, drawn.valkey, drawn.secret_key}) == 5


def test_lost_credentials_are_an_error_when_the_database_exists(tmp_path: Path) -> None:
    with pytest.raises(CredentialsLost, match="make reset"):
        credentials(tmp_path / "credentials.json", database_exists=True)
    assert not (tmp_path / "credentials.json").exists()


def test_later_answer_does_not_hide_what_is_shown_once(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    keep(path, '{"api_key": "hf_test_1", "people": {"ops": {"user": "ops", "password": "word"}}}')
    keep(path, '{"api_key": "", "people": {"ops": {"user": "ops2"}, "auditor": {"user": "auditor"}}}')
    assert read_kept(path) == {
        "api_key": "hf_test_1",
        "people": {"ops": {"user": "ops2", "password": "word"}, "auditor": {"user": "auditor"}},
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_shell_reads_what_was_written(tmp_path: Path) -> None:
    environment = {"SECRET_KEY": "it's a 'key' $HOME", "EMPTY": ""}
    path = tmp_path / "env"
    path.write_text(exports(environment))
    assert read_exports(path) == environment
    said = subprocess.run(
        ["sh", "-c", f'. {path}; printf %s "$SECRET_KEY"'], capture_output=True, text=True, check=True
    )
    assert said.stdout == environment["SECRET_KEY"]
