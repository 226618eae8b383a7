"""Create the sandbox's operator with its test key; prints one JSON object."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from ledger.controls import clock
from wallets import sandbox_operator


class Command(BaseCommand):
    help = "Create the sandbox's operator, gateway and test key (idempotent; the key is shown only when it is made)."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps(sandbox_operator.load(now=clock.now())))
