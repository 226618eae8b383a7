"""Rules of the house that no tool checks: what is committed names no machine, and every decision has a record."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.splitlines()]


def test_decision_records_are_titled_as_the_decision() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert records
    for record in records:
        first = record.read_text(encoding="utf-8").splitlines()[0]
        assert re.fullmatch(r"# \S.{15,}", first), record.name


def test_no_file_has_a_forbidden_name() -> None:
    forbidden = {"utils", "helpers", "common", "misc", "base", "service", "services", "manager", "processor"}
    named = [path for path in _tracked() if path.suffix == ".py" and path.stem in forbidden]
    assert named == []


def test_domain_reads_the_clock_only_through_its_port() -> None:
    pattern = re.compile(r"timezone\.now\(|datetime\.now\(|uuid4\(|date\.today\(")
    apps = ("ledger", "webhooks", "wallets", "orders", "reconciliation")
    found = [
        str(path.relative_to(ROOT))
        for path in _tracked()
        if path.suffix == ".py"
        and path.relative_to(ROOT).parts[0] in apps
        and "sandbox" not in path.parts
        and pattern.search(path.read_text(encoding="utf-8"))
    ]
    assert found == []
