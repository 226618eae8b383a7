"""``make test``: every check that CI runs, one after the other, each with its time and its budget.

It needs nothing running: the tests start servers of their own. A check that fails does not keep the next from
running; all failures are named at the end.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.console import Console
from rich.table import Table

from config.local.browser import chromium
from config.local.places import ROOT

_NO_TEST_WAS_COLLECTED: Final = 5
# A check that hangs is ended when it has taken this many times its budget.
_PATIENCE: Final = 3


@dataclass(frozen=True, slots=True)
class Check:
    """One command. ``budget`` is in seconds."""

    name: str
    command: Sequence[str]
    budget: int = 60
    needs_browser: bool = False


def checks() -> list[Check]:
    """Return all checks, the quick ones first."""
    python = sys.executable
    pytest = (python, "-m", "pytest", "--quiet")
    return [
        Check("style", (python, "-m", "ruff", "check", ".")),
        Check("format", (python, "-m", "ruff", "format", "--check", ".")),
        Check("types", (python, "-m", "mypy")),
        Check("imports", (python, "-c", "from importlinter.cli import lint_imports_command as c; c()")),
        Check("migrations", (python, "manage.py", "makemigrations", "--check", "--dry-run")),
        Check("tests", (*pytest, "-m", "not browser and not processes and not bench")),
        Check("simulation", (python, "-m", "tests.simulation", "1-300", "--processes", "2", "--reach")),
        Check("processes", (*pytest, "-m", "processes")),
        Check("browser", (*pytest, "-m", "browser"), needs_browser=True),
    ]


def run_checks(*, only: Sequence[str], budgets: Mapping[str, int]) -> int:
    """Run the checks (or those named), print what each took, and return 0 when all passed."""
    console = Console(highlight=False)
    known = checks()
    if unknown := set(only) - {check.name for check in known}:
        console.print(f"[red]no such check: {', '.join(sorted(unknown))}[/]")
        return 2
    ends: list[tuple[Check, str, float]] = []
    for check in known:
        if only and check.name not in only:
            continue
        budget = budgets.get(check.name, check.budget)
        console.rule(f"[bold]{check.name}[/]", align="left")
        began = time.monotonic()
        end = _end(check, budget=budget, console=console)
        seconds = time.monotonic() - began
        if end == "passed" and seconds > budget:
            end = f"over its budget of {budget} s"
        ends.append((check, end, seconds))
        console.print(f"{check.name}: {end}, {seconds:.1f} s of {budget} s")
    return _report(ends, console)


def _end(check: Check, *, budget: int, console: Console) -> str:
    if check.needs_browser and chromium() is None:
        if os.environ.get("REQUIRE_BROWSER") == "1":
            return "no Chromium, and REQUIRE_BROWSER=1 asks for it"
        console.print("[bold black on yellow] NO CHROMIUM FOUND: THE BROWSER TESTS DO NOT RUN [/]")
        console.print("Install it (Debian: apt-get install chromium); CI requires it.")
        return "left out"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_OURS)}
    if check.name in ("types", "migrations"):
        environment["DJANGO_SETTINGS_MODULE"] = "tests.static_settings"
    try:
        done = subprocess.run(check.command, cwd=ROOT, env=environment, check=False, timeout=budget * _PATIENCE)
    except subprocess.TimeoutExpired:
        return f"ended after {budget * _PATIENCE} s"
    if done.returncode == _NO_TEST_WAS_COLLECTED and "pytest" in check.command:
        return "failed: it has no test"
    return "passed" if done.returncode == 0 else f"failed ({done.returncode})"


# A shell that has read the local stack's environment must not lead the tests to its database.
_NOT_OURS: Final = (
    "DJANGO_SETTINGS_MODULE",
    "DATABASE_URL",
    "MIGRATE_DATABASE_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "SECRETS_KEYS",
    "HOLDFAST_",
)


def _report(ends: Sequence[tuple[Check, str, float]], console: Console) -> int:
    table = Table("check", "end", "seconds")
    for check, end, seconds in ends:
        colour = {"passed": "green", "left out": "yellow"}.get(end, "red")
        table.add_row(check.name, f"[{colour}]{end}[/]", f"{seconds:.1f}")
    console.print(table)
    failed = [check.name for check, end, _ in ends if end not in ("passed", "left out")]
    if failed:
        console.print(f"[bold red]failed: {', '.join(failed)}[/]")
        return 1
    console.print("[bold green]every check passed[/]")
    return 0
