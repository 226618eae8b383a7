"""Run a close by hand: the same as the schedule does, with a progress bar and a summary."""

import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from ledger.controls import clock
from ledger.controls.refusals import Refusal
from ledger.environments import Environment
from reconciliation import close_runs, making_again, schedule
from reconciliation.artifact_registry import every_artifact
from reconciliation.close_summary import print_summary
from reconciliation.models import CloseRun
from reconciliation.windows import business_date_of

BREAKS_FOUND = 3
"""The exit status of --fail-on-breaks."""


class Command(BaseCommand):
    help = "Run the close of a business date: checks, exception cases, artifacts. A date not yet over is provisional."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--date", help="the business date, YYYY-MM-DD (default: today, in the book's close zone)")
        parser.add_argument(
            "--environment",
            choices=Environment.values,
            help="whose book (default: each that has any record)",
        )
        parser.add_argument(
            "--fail-on-breaks",
            action="store_true",
            help=f"exit with status {BREAKS_FOUND} when the close found a break",
        )

        parser.add_argument(
            "--make-again",
            action="store_true",
            help="make the files of a date again, put them in their place, and fail if they are other bytes",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        asked = _date(options["date"])
        if options["make_again"]:
            self._make_again(asked, options["environment"])
            return
        environments = [options["environment"]] if options["environment"] else _with_records()
        if not environments:
            self.stdout.write("There is nothing to close: no book has any record.")
            return
        breaks = sum(self._close(environment, asked) for environment in environments)
        if breaks and options["fail_on_breaks"]:
            raise CommandError(f"{breaks} records break a check.", returncode=BREAKS_FOUND)

    def _make_again(self, asked: date | None, environment: str | None) -> None:
        if asked is None or environment is None:
            raise CommandError("--make-again needs --date and --environment.")
        close = CloseRun.objects.filter(environment=environment, business_date=asked).first()
        if close is None:
            raise CommandError(f"There is no close of {asked.isoformat()} ({environment}).")
        try:
            with _bar() as progress:
                progress.plan(len(every_artifact()))
                names = making_again.restore(close, progress=progress)
        except (Refusal, OSError) as error:
            raise CommandError(f"The files were not made again: {error}") from error
        self.stdout.write(f"{len(names)} files of {asked.isoformat()} ({environment}): the same bytes.")

    def _close(self, environment: str, asked: date | None) -> int:
        day = asked or business_date_of(environment=environment, instant=clock.now())
        try:
            close = close_runs.ensure(environment=environment, business_date=day, actor="command:close")
            with _bar() as progress:
                report = close_runs.run(close=close, progress=progress)
        except (Refusal, OSError) as error:
            raise CommandError(f"The close of {day.isoformat()} ({environment}) did not run: {error}") from error
        print_summary(report, Console(file=cast(IO[str], self.stdout), width=100 if not sys.stdout.isatty() else None))
        return sum(report.breaks.values())


class _RichProgress:
    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def plan(self, steps: int) -> None:
        self._task = self._bar.add_task("", total=steps)

    def begin(self, step: str) -> None:
        assert self._task is not None
        task = self._bar.tasks[self._task]
        self._bar.update(self._task, description=step, advance=1 if task.description else 0)

    def finish(self) -> None:
        if self._task is not None:
            self._bar.update(self._task, completed=self._bar.tasks[self._task].total)


@contextmanager
def _bar() -> Iterator[_RichProgress]:
    columns = (TextColumn("{task.description:<32}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        progress = _RichProgress(bar)
        yield progress
        progress.finish()


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise CommandError(f"--date is a business date, YYYY-MM-DD: {text!r} is none.") from None


def _with_records() -> list[str]:
    return [environment.value for environment in Environment if schedule.first_date(environment) is not None]
