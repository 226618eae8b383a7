"""The relay process: a plain loop that needs no broker. It passes events on, and drains whatever is overdue."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from webhooks.net import Net


class Command(BaseCommand):
    help = "Pass events on and drain what is overdue, until told to stop."

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        Net().run_until(stop)
