"""Verify the ledger. Exit status 1 when anything differs.

`manage.py verify_ledger [--environment test] [--root NUMBER:HEX …] [--roots FILE]`. Roots are what left the database:
without them a tail that was cut off or made anew cannot be seen, and the report says which interval that is.
"""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ledger import verify
from ledger.environments import Environment


class Command(BaseCommand):
    help = "Recompute balances, holds, keys and seals from the postings and name everything that differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--environment", choices=Environment.values, help="one book only (default: all)")
        parser.add_argument(
            "--root",
            action="append",
            default=[],
            metavar="NUMBER:HEX",
            help="a block's root as it was kept outside; with --environment; may be repeated",
        )
        parser.add_argument(
            "--roots",
            type=Path,
            metavar="FILE",
            help="such roots, one a line: ENVIRONMENT NUMBER HEX; # begins a comment",
        )

    def handle(
        self,
        *args: Any,
        environment: str | None = None,
        root: Sequence[str] = (),
        roots: Path | None = None,
        **options: Any,
    ) -> None:
        console = Console(file=self.stdout, highlight=False, soft_wrap=True)  # type: ignore[arg-type]  # it writes text
        kept = [*_named(environment, root), *(_filed(roots) if roots else ())]
        amount = verify.volume(environment=environment)
        console.print(", ".join(f"{count} {name}" for name, count in amount.items()))
        verdicts: list[verify.Verdict] = []
        bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        with bar:
            task = bar.add_task("verifying", total=len(verify.CHECKS))
            for verdict in verify.verify(environment=environment, roots=kept):
                verdicts.append(verdict)
                bar.update(task, advance=1, description=verdict.check.title)
        for verdict in verdicts:
            _report(console, verdict)
        for interval in verify.uncovered(environment=environment, roots=kept):
            _report_interval(console, interval)
        broken = sum(verdict.breaks > 0 for verdict in verdicts)
        console.print(f"{len(verdicts) - broken} of {len(verdicts)} checks hold.")
        if broken:
            sys.exit(1)


def _named(environment: str | None, roots: Sequence[str]) -> list[verify.OutsideRoot]:
    if roots and environment is None:
        raise CommandError("--root belongs to one book: name it with --environment")
    return [_root(environment, *text.partition(":")[::2], told=text) for text in roots]


def _filed(path: Path) -> list[verify.OutsideRoot]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
    found = []
    for number, line in enumerate(lines, start=1):
        words = line.partition("#")[0].split()
        if words and len(words) != 3:
            raise CommandError(f"{path}, line {number}: ENVIRONMENT NUMBER HEX is wanted")
        if words:
            found.append(_root(*words, told=f"{path}, line {number}"))
    return found


def _root(environment: str | None, number: str, root: str, *, told: str) -> verify.OutsideRoot:
    known = environment in Environment.values and number.isascii() and number.isdecimal() and len(number) < 19
    if environment is None or not known or len(root) != 64 or set(root.lower()) - set("0123456789abcdef"):
        raise CommandError(f"{told!r} is no root: a block's number and 64 hexadecimal digits are wanted")
    return verify.OutsideRoot(environment=environment, number=int(number), root=root.lower())


def _report(console: Console, verdict: verify.Verdict) -> None:
    mark = "[green]holds[/]" if verdict.breaks == 0 else f"[red]BROKEN {verdict.breaks} times[/]"
    console.print(f"{mark:<14} {escape(verdict.check.title)}")
    for finding in verdict.findings:
        console.print(f"    {finding.environment}  {escape(finding.subject)}: {escape(finding.detail)}")
    if verdict.breaks > len(verdict.findings):
        console.print(f"    … and {verdict.breaks - len(verdict.findings)} more")


def _report_interval(console: Console, interval: verify.Uncovered) -> None:
    parts = []
    if interval.first <= interval.last:
        parts.append(f"blocks {interval.first} to {interval.last}")
    if interval.unsealed:
        parts.append(f"{interval.unsealed} unsealed transactions")
    said = " and ".join(parts) if parts else "nothing"
    console.print(f"{interval.environment}: {said} not covered by an outside root")
