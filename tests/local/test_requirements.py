"""The locked requirements say what to install, with hashes, and never from where."""

import re
import subprocess
import tomllib

import pytest

from config.local.places import ROOT

LOCKED = sorted((ROOT / "requirements").glob("*.txt"))


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_requirements_name_no_source(path: object) -> None:
    assert hasattr(path, "read_text")
    text = path.read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(--(index|extra-index|find-links|trusted)|-i |-f )", text, re.MULTILINE)


@pytest.mark.parametrize("path", LOCKED, ids=lambda path: path.name)
def test_each_requirement_is_pinned_and_has_a_hash(path: object) -> None:
    assert hasattr(path, "read_text")
    lines = path.read_text().splitlines()
    requirements = [line for line in lines if line and not line.startswith((" ", "#"))]
    assert len(requirements) > 30
    for line in requirements:
        assert re.match(r"^[A-Za-z0-9._-]+(\[[a-z,]+\])?==\S+", line), line
        assert line.endswith("\\"), line
    assert text_hashes(lines) >= len(requirements)


def test_runtime_requirements_are_a_part_of_development_ones() -> None:
    assert _pins("runtime.txt") <= _pins("development.txt")


def test_each_dependency_of_the_project_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    runtime = {_name(item) for item in project["dependencies"]}
    development = {_name(item) for item in project["optional-dependencies"]["development"]}
    assert runtime <= {_name(pin) for pin in _pins("runtime.txt")}
    assert runtime | development <= {_name(pin) for pin in _pins("development.txt")}


def test_no_committed_file_names_a_package_registry() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("this copy of the sources is no git work tree")
    registries = re.compile(rb"(pypi|pythonhosted|npmjs|npm)\.(org|com)|index-url|find-links", re.IGNORECASE)
    may_speak_of_it = {"config/local/locking.py", "tests/local/test_requirements.py"}
    named = [
        name
        for name in listed.stdout.splitlines()
        if name not in may_speak_of_it
        and (ROOT / name).is_file()
        and registries.search((ROOT / name).read_bytes()) is not None
    ]
    assert named == []


def text_hashes(lines: list[str]) -> int:
    return sum(line.strip().startswith("--hash=sha256:") for line in lines)


def _pins(name: str) -> set[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return {line.split()[0].rstrip("\\") for line in lines if line and line[0] not in " #"}


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found is not None
    return re.sub(r"[-_.]+", "-", found.group()).lower()
