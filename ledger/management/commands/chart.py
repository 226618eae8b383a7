"""The chart of accounts: `chart restore` loads the baseline, `chart drift` names what disagrees."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction as db_transaction

from ledger.chart import stored
from ledger.chart.restore import restore
from ledger.controls import clock
from ledger.environments import Environment


class Command(BaseCommand):
    help = "Restore the bundled chart, GL mappings and templates (as the owner of the tables), or report drift."

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        for name, text in (
            ("restore", "load what is missing of the baseline; changes nothing when nothing is missing"),
            ("drift", "name every disagreement; exit status 1 when there is one"),
        ):
            action = actions.add_parser(name, help=text)
            action.add_argument("--environment", choices=Environment.values, help="one book; both when not given")

    def handle(self, *args: Any, **options: Any) -> None:
        environments = [options["environment"]] if options["environment"] else Environment.values
        if options["action"] == "restore":
            for environment in environments:
                self._restore(environment)
        elif sum(self._drift(environment) for environment in environments):
            sys.exit(1)

    def _restore(self, environment: str) -> None:
        with db_transaction.atomic():
            done = restore(environment=environment, now=clock.now())
        for name in done.loaded:
            self.stdout.write(f"{environment}: {name} loaded")
        for name in done.kept:
            self.stdout.write(f"{environment}: {name} was changed by people and stays as they left it")
        if not done.loaded:
            self.stdout.write(f"{environment}: nothing was missing")

    def _drift(self, environment: str) -> int:
        found = stored.find(environment)
        for one in found:
            self.stdout.write(self.style.ERROR(f"{environment}: {one}"))
        if not found:
            self.stdout.write(self.style.SUCCESS(f"{environment}: no drift"))
        return len(found)
