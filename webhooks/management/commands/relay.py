"""The relay process: a plain loop that needs no broker. It passes events on, and drains whatever is overdue."""

import logging
import os
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
        net = Net()
        net.run_until(stop)
        if net.is_at_work:  # with a slow receiver, perhaps: nobody waits for it, its lease ends by itself
            logging.shutdown()
            os._exit(0)
