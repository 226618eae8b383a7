"""Check that a wallet service obeys the protocol: every rule tried, one line each, exit status 1 when one is broken."""

import math
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wallets.protocol_check.cases import run_all
from wallets.protocol_check.partner import Partner, Unreachable
from webhooks import signatures

_MOST_SECONDS = 60.0


class Command(BaseCommand):
    help = (
        "Try every rule of docs/wallet-protocol.yaml against a wallet service. It debits, credits and reverses a few"
        " minor units of a test user; what it debits it gives back. Use a test system."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--url", required=True, help="the base address: /debit lies below it")
        parser.add_argument("--secret", required=True, help="whsec_…, shared with the wallet service")
        parser.add_argument("--user", default="protocol-check", help="a user with some funds")
        parser.add_argument("--asset", default="EUR")
        parser.add_argument("--scale", type=int, default=2, help="decimals of the asset")
        parser.add_argument("--timeout", type=float, default=5.0, help="seconds for each question")
        parser.add_argument("--patience", type=float, default=10.0, help="seconds for what answers pending")

    def handle(self, *args: Any, **options: Any) -> None:
        partner = _partner(options)
        try:
            partner.refuse_unreachable()
        except Unreachable as problem:
            raise CommandError(str(problem)) from problem
        table = Table(
            "", "case", "expected", "got", title=f"Wallet protocol: {escape(options['url'])}", title_justify="left"
        )
        broken = 0
        for case, found in run_all(partner):
            broken += not found.passed
            mark = "[green]pass[/]" if found.passed else "[bold red]FAIL[/]"
            table.add_row(mark, escape(case.title), escape(found.expected), escape(found.got))
        console = Console(width=None if self.stdout.isatty() else 160)
        with console.capture() as printed:
            console.print(table)
        self.stdout.write(printed.get())
        self.stdout.write(f"{table.row_count - broken} of {table.row_count} cases pass.")
        if broken:
            raise CommandError(f"{broken} of {table.row_count} cases fail.", returncode=1)


def _partner(options: dict[str, Any]) -> Partner:
    try:
        signatures.sign(secrets=[options["secret"]], message_id="check", timestamp=0, body=b"")
    except signatures.MalformedSecret as problem:
        raise CommandError(str(problem)) from problem
    for name in ("timeout", "patience"):
        if not (math.isfinite(options[name]) and 0 < options[name] <= _MOST_SECONDS):
            raise CommandError(f"--{name} is above 0 and at most {_MOST_SECONDS:.0f} seconds.")
    if not 0 <= options["scale"] <= 18:
        raise CommandError("--scale is from 0 to 18.")
    return Partner(
        base_url=options["url"],
        secret=options["secret"],
        user_reference=options["user"],
        asset=options["asset"],
        scale=options["scale"],
        timeout_seconds=options["timeout"],
        patience_seconds=options["patience"],
    )
