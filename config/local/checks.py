"""``make test``: every check that CI runs, one after the other, each with its time and its budget.

It needs nothing running: the tests start servers of their own. A check that fails does not keep the next from
running; all failures are named at the end.
"""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from tempfile import TemporaryFile
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
    """One command, run in so many ``parts`` beside each other. ``budget`` is in seconds."""

    name: str
    command: Sequence[str]
    budget: int = 60
    needs_browser: bool = False
    parts: int = 1


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
        Check("tests", (*pytest, "-m", "not browser and not processes and not bench"), parts=2),
        Check(
            "simulation", (python, "-m", "tests.simulation", "1-300", "--processes", "2", "--reach", "--further", "240")
        ),
        Check("processes", (*pytest, "-m", "processes"), parts=3),
        Check("browser", (*pytest, "-m", "browser"), needs_browser=True, parts=2),
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
    codes = _exit_codes(check, environment, patience=budget * _PATIENCE)
    if None in codes:
        return f"ended after {budget * _PATIENCE} s"
    if _NO_TEST_WAS_COLLECTED in codes and "pytest" in check.command:
        return "failed: it has no test"
    failed = [str(code) for code in codes if code]
    return f"failed ({', '.join(failed)})" if failed else "passed"


def _exit_codes(check: Check, environment: Mapping[str, str], *, patience: float) -> list[int | None]:
    """Run all parts at once; return each one's exit status, None for one that took too long. Say what they said.

    What the first part says is seen at once, what others say when they have ended.
    """
    ends = time.monotonic() + patience
    codes: list[int | None] = []
    with ExitStack() as open_files:
        said = [None, *(open_files.enter_context(TemporaryFile()) for _ in range(1, check.parts))]
        running = [
            subprocess.Popen(
                check.command,
                cwd=ROOT,
                env={**environment, **({_PART: f"{number}/{check.parts}"} if check.parts > 1 else {})},
                stdout=file,
                stderr=file and subprocess.STDOUT,
            )
            for number, file in enumerate(said, start=1)
        ]
        for process, file in zip(running, said, strict=True):
            try:
                codes.append(process.wait(max(ends - time.monotonic(), 0.1)))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                codes.append(None)
            if file is not None:
                file.seek(0)
                sys.stdout.write(file.read().decode(errors="replace"))
                sys.stdout.flush()
    return codes


_PART: Final = "TEST_PART"
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
