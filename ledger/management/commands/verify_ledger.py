"""Verify the ledger: `manage.py verify_ledger [--environment test]`. Exit status 1 when anything differs."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ledger import verify
from ledger.environments import Environment


class Command(BaseCommand):
    help = "Recompute balances, holds and keys from the postings and name everything that differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--environment", choices=Environment.values, help="one book only (default: all)")

    def handle(self, *args: Any, environment: str | None = None, **options: Any) -> None:
        console = Console(file=self.stdout, highlight=False, soft_wrap=True)  # type: ignore[arg-type]  # it writes text
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
            for verdict in verify.verify(environment=environment):
                verdicts.append(verdict)
                bar.update(task, advance=1, description=verdict.check.title)
        for verdict in verdicts:
            _report(console, verdict)
        broken = sum(verdict.breaks > 0 for verdict in verdicts)
        console.print(f"{len(verdicts) - broken} of {len(verdicts)} checks hold.")
        if broken:
            sys.exit(1)


def _report(console: Console, verdict: verify.Verdict) -> None:
    mark = "[green]holds[/]" if verdict.breaks == 0 else f"[red]BROKEN {verdict.breaks} times[/]"
    console.print(f"{mark:<14} {escape(verdict.check.title)}")
    for finding in verdict.findings:
        console.print(f"    {finding.environment}  {escape(finding.subject)}: {escape(finding.detail)}")
    if verdict.breaks > len(verdict.findings):
        console.print(f"    … and {verdict.breaks - len(verdict.findings)} more")
