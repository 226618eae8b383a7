"""Move old events of locked days into the archive, until none is left to move."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.controls.drains import MAXIMUM_BATCHES
from ledger.environments import Environment
from webhooks import event_archive


class Command(BaseCommand):
    help = "Move events older than --days of locked days into the archive; prints how many."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--days", type=int, required=True, help="at least 1")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["days"] < 1:
            raise CommandError("--days is at least 1.")
        moved = 0
        for environment in Environment:
            for _ in range(MAXIMUM_BATCHES):
                count = event_archive.archive(environment=environment, older_than=timedelta(days=options["days"]))
                moved += count
                if count == 0:
                    break
        self.stdout.write(str(moved))
