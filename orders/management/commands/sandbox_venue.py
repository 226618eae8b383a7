"""Open the pools whose trades the sandbox's venue executes."""

from typing import Any

from django.core.management.base import BaseCommand

from ledger.controls import clock
from orders import sandbox_venue


class Command(BaseCommand):
    help = "Open the test environment's pools at the sandbox's venue (idempotent; after sandbox_operator)."

    def handle(self, *args: Any, **options: Any) -> None:
        codes = sandbox_venue.load(now=clock.now())
        self.stdout.write(f"Pools at the sandbox's venue: {', '.join(codes)}.")
