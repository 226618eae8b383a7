"""`make bench [ONLY=F1,F2,F7]`: speeds as ratios against bare SQL, in one run; writes bench.json.

Everything is real: the local stack's processes, fsync on, guards on. Its data lies in a folder of its own, which goes.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import django
from rich.console import Console

from config.local.stack import LocalStack

_ROWS = (
    "F1",
    "F2",
    "F3",
    "F4",
    "F8",
    "F11",
    "F13",
    "verify",
    "inbox",
    "F7",
    "delivery",
    "F5",
    "F6",
    "F14",
    "F12",  # its orders would keep the workers of the rows before it busy
    "F9",
    "flat",  # F15
)
_ASKED_FOR_ALONE = {"flat"}  # it fills ten million postings
_NEED_PROCESSES = {"F5", "F6", "F7", "F9", "F14", "inbox", "delivery"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="rows by name, with commas between them")
    wanted = [name for name in parser.parse_args().only.split(",") if name] or [
        name for name in _ROWS if name not in _ASKED_FOR_ALONE
    ]
    if unknown := set(wanted) - set(_ROWS):
        parser.error(f"there is no row {', '.join(sorted(unknown))}; there are {', '.join(_ROWS)}")
    console = Console()
    data = Path(tempfile.mkdtemp(prefix="hf-bench-", dir="/tmp"))
    stack = LocalStack(data, without=["console_people"], say=console.print)
    try:
        _bring_up(stack)
        _measure(stack, wanted, console)
    finally:
        stack.stop()
        shutil.rmtree(data, ignore_errors=True)


def _bring_up(stack: LocalStack) -> None:
    stack.take_over()
    stack.start_servers()
    stack.load()


def _measure(stack: LocalStack, wanted: list[str], console: Console) -> None:
    os.environ.update(stack.environment)
    django.setup()
    from tests.bench import (
        close,
        delivery,
        flat,
        intents,
        ledger,
        looks,
        orders,
        payouts,
        postings,
        relay,
        reports,
        rows,
        transfers,
    )
    from tests.bench import console as pages

    postings.prepare(stack)
    found: list[rows.Row] = []
    started = False
    try:
        for name in sorted(wanted, key=_ROWS.index):
            if name in _NEED_PROCESSES and not started:  # those before are measured with nobody else at work
                stack.start_processes()
                started = True
            console.print(f"measuring {name} …")
            match name:
                case "F1":
                    found.append(postings.single_through_python(stack))
                case "F2":
                    found.append(postings.function_at_sixteen(stack))
                case "F3":
                    found += ledger.hot_account(stack)
                case "F4":
                    found += ledger.long_lists(stack)
                case "verify":
                    found.append(ledger.verified(stack))
                case "F8":
                    found.append(relay.relay(stack))
                case "inbox":
                    found.append(relay.inbox(stack))
                case "delivery":
                    found += delivery.recorded_to_received(stack)
                case "F11":
                    found.append(reports.trial_balance_and_statement(stack))
                case "F9":  # and F10, of the same day; the last, since it fills the live book
                    found += close.checks_and_artifacts(stack, console.print)
                case "flat":  # F15
                    found += flat.ten_million(stack)
                case "F12":
                    found.append(pages.queues_and_searches(stack, console.print))
                    found.append(looks.at_what_is_due(console.print))
                case "F13":
                    found += transfers.against_peers(stack, console.print)
                case "F5":
                    found += intents.single_transfers(stack, intents.prepare(stack))
                case "F6":
                    found.append(intents.listed_transfers(stack, intents.prepare(stack)))
                case "F14":
                    found += payouts.authorized_to_settled(stack, payouts.prepare(stack))
                case "F7":
                    found.append(orders.quote_to_webhook(stack, anchor=postings.anchor(stack, clients=16)))
    finally:  # what was measured before a row failed is shown
        rows.show(found, Path("bench.json"))


if __name__ == "__main__":
    main()
