"""Play the short day against the running stack, then close today provisionally and say what came of it."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction as db_transaction

from ledger.controls import clock, randomness
from ledger.environments import Environment
from orders import sandbox_venue
from orders.models import Order, Pool
from orders.operations.halt_pool import NotHalted, lift_halt
from reconciliation import short_day, short_day_payments, summary
from wallets import inbox_provider, sandbox_operator
from wallets.gateway_terms import WALLET
from wallets.models import Gateway
from webhooks import providers, signatures


class Command(BaseCommand):
    help = "Play a short day of orders through REST (once), then close today provisionally."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--url", default=os.environ.get("HOLDFAST_URL", ""), help="where the web answers")
        parser.add_argument("--key", default="", help="an API key of the test environment")

    def handle(self, *args: Any, **options: Any) -> None:
        url, key = options["url"], options["key"] or _kept_key()
        if not url or not key:
            raise CommandError("The short day needs --url and --key (or HOLDFAST_URL and HOLDFAST_KEPT).")
        known = set(Order.objects.filter(environment=Environment.TEST).values_list("partner_order_id", flat=True))
        day = [planned for planned in short_day.plan() if planned.partner_order_id not in known]
        api = short_day.Api(url, key)
        run = randomness.octets(4).hex()
        short_day.subscribe(api, settings.SANDBOX_URL, run=run)
        _tell_secrets()
        _connect_inboxes(url)
        _connect_venue_inboxes(url)
        if day:
            self.stdout.write(f"  playing {len(day)} orders …")
            short_day.play(
                api,
                day,
                run=run,
                after_alone=_lift_halts,
                say=self.stdout.write,
            )
        else:
            self.stdout.write("  the short day was played before")
        self._play_payments(api, url, run)
        today = clock.now().date().isoformat()
        call_command("close", date=today, environment="test", stdout=self.stdout)
        for line in summary.lines(environment=Environment.TEST):
            self.stdout.write(line)

    def _play_payments(self, api: short_day.Api, url: str, run: str) -> None:
        if providers.exists(_PSP):
            return
        terms = providers.Terms(
            scheme=providers.Scheme.STANDARD,
            kind="type",
            subjects=("data.wallet_id",),
            kinds=("payin.*",),
            transaction="data.transaction_id",
        )
        with db_transaction.atomic():
            made = providers.create(
                code=_PSP, environment=Environment.TEST, operator_id=None, terms=terms, now=clock.now()
            )
        done = short_day_payments.play(
            api,
            run=run,
            tell=lambda events: _tell(url, made.secret, events),
            funded=lambda wallet: _until_funded(api, wallet),
            say=self.stdout.write,
        )
        self.stdout.write(f"  {done} transfers and payouts, and what a provider paid in")


_PSP = "sandbox-psp"
"""The sandbox's payment provider: it has no server, the day signs and sends its events."""
_PATIENCE_SECONDS = 30.0


def _tell(url: str, secret: str, events: Sequence[short_day_payments.Told]) -> None:
    for event in events:
        body = json.dumps({"type": event.kind, "data": event.data}).encode()
        signed = signatures.headers(
            secrets=[secret], message_id=event.event_id, timestamp=int(clock.now().timestamp()), body=body
        )
        status, content = short_day.Api(url, "").call("POST", f"/v1/inbox/{_PSP}", body, headers=signed)
        if status not in (200, 202):
            raise CommandError(f"the inbox answered {status}: {content[:200]!r}")


def _until_funded(api: short_day.Api, wallet: str) -> None:
    """Wait until the wallet has money: its pay-in is booked after the inbox has answered."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        status, content = api.call("GET", f"/v1/wallets/{wallet}/balances")
        if status == 200 and any(one["posted"].strip("0.") for one in json.loads(content)["data"]):
            return
        time.sleep(0.25)


def _tell_secrets() -> None:
    """Have the sandbox take what the gateways that lead to it have signed, and nothing else. No other is told a secret."""
    wallet, venue = (url.rstrip("/") for url in (settings.SANDBOX_URL, settings.SANDBOX_VENUE_URL))
    for gateway in Gateway.objects.filter(environment=Environment.TEST).order_by("pk"):
        if gateway.base_url.rstrip("/") == venue:
            short_day.tell_secret(venue, place="secret", secret=gateway.secret)
        elif gateway.base_url.rstrip("/") in (wallet, f"{wallet}/bank"):
            place = "wallet-secret" if gateway.channel == WALLET else "bank-secret"
            short_day.tell_secret(wallet, place=place, secret=gateway.secret)


def _connect_inboxes(url: str) -> None:
    """Tell the sandbox's wallet and its bank where their events go. One of the bank's channels speaks for both."""
    for slug, channel, place in (
        (sandbox_operator.SLUG, WALLET, "inbox"),
        (sandbox_operator.HOUSE, "bank_transfer", "bank-inbox"),
    ):
        gateway = Gateway.objects.select_related("operator").get(
            operator__slug=slug, environment=Environment.TEST, channel=channel
        )
        code = inbox_provider.code_of(gateway)
        with db_transaction.atomic():
            secret = providers.newest_secret(code, now=clock.now())
        inbox = f"{url.rstrip('/')}/v1/inbox/{code}"
        short_day.connect_inbox(settings.SANDBOX_URL, place=place, url=inbox, secret=secret)


def _connect_venue_inboxes(url: str) -> None:
    for pool, code, secret in sandbox_venue.inboxes(now=clock.now()):
        short_day.connect_venue_inbox(
            settings.SANDBOX_VENUE_URL, pool=pool, url=f"{url.rstrip('/')}/v1/inbox/{code}", secret=secret
        )


def _kept_key() -> str:
    path = Path(os.environ.get("HOLDFAST_KEPT", ""))
    if not path.is_file():
        return ""
    return str(json.loads(path.read_text(encoding="utf-8")).get("api_key", ""))


def _lift_halts() -> None:
    """Open the pool that has halted itself, so that the next order of the day can be accepted."""
    for pool in Pool.objects.filter(environment=Environment.TEST):
        try:
            with db_transaction.atomic():
                lift_halt(pool=pool, actor="short day", now=clock.now())
        except NotHalted:
            continue
