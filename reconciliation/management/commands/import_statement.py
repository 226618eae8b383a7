"""Import a bank's or operator's statement by hand: a dry run, then the lines, then their matches."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.controls import clock
from ledger.controls.refusals import Refusal
from ledger.environments import Environment
from reconciliation.models import StatementFile
from reconciliation.statements import importing, matching, sources, trial
from reconciliation.statements.trial import DryRun

_ACTOR = "command:import_statement"
_MOST_TOLD = 20


class Command(BaseCommand):
    help = "Import a statement file of a source: all its lines or none, once per file, each line once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("source", help="the source's code")
        parser.add_argument("file", type=Path)
        parser.add_argument("--environment", choices=Environment.values, required=True)
        parser.add_argument("--dry-run", action="store_true", help="say what it would do, and keep nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            source = sources.named(environment=options["environment"], code=options["source"])
            if path.stat().st_size > importing.LARGEST:
                raise importing.FileTooLarge
            file = importing.receive(
                source=source, name=path.name, content=path.read_bytes(), actor=_ACTOR, now=clock.now()
            )
            if file.state == StatementFile.State.IMPORTED:
                self.stdout.write(f"{path.name} is imported already, as {file.reference}: nothing to do.")
            else:
                self._import(file, dry=options["dry_run"])
            if not options["dry_run"]:
                tally = matching.match_source(source)
                self.stdout.write(f"{tally.matched} lines matched now, {tally.unmatched} still stand alone.")
        except (Refusal, OSError) as error:
            raise CommandError(f"{path.name} was not imported: {error}") from error

    def _import(self, file: StatementFile, *, dry: bool) -> None:
        found = trial.dry_run(file=file, now=clock.now())
        self._tell(found)
        if dry or not found.stands:
            importing.discard(reference=file.reference, actor=_ACTOR, now=clock.now())
        if not found.stands:
            raise CommandError(f"{file.name} was not imported: {found.fault or 'lines are wrong'}")
        if not dry:
            done = importing.take_in(reference=file.reference, actor=_ACTOR, now=clock.now())
            self.stdout.write(
                f"{file.name} is imported as {done.reference}: {done.new_lines} new, {done.known_lines} known."
            )

    def _tell(self, found: DryRun) -> None:
        for row in found.rows[:_MOST_TOLD]:
            self.stdout.write(f"line {row.number}: {row.kind} {' '.join(row.errors) or row.match}")
        self.stdout.write(", ".join(f"{count} {kind}" for kind, count in sorted(found.counts.items())) or "no lines")
