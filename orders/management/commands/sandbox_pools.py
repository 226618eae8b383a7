"""Create the sandbox's pools, fees, rates and thresholds."""

from typing import Any

from django.core.management.base import BaseCommand

from ledger.controls import clock
from orders import sandbox_pools


class Command(BaseCommand):
    help = "Create the sandbox's pools with their funding, fees and rates (idempotent; test environment)."

    def handle(self, *args: Any, **options: Any) -> None:
        codes = sandbox_pools.load(now=clock.now())
        self.stdout.write(f"Pools of the sandbox: {', '.join(codes)}.")
