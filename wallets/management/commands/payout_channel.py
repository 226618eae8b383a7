"""Connect a bank's payout channel: where it answers, the secret that signs our questions, and what it pays out."""

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.refusals import Refusal
from ledger.environments import Environment
from wallets import operators, payout_channels
from wallets.models import Operator


class Command(BaseCommand):
    help = (
        "Connect a payout channel, or point it to another address or secret (prints one JSON object). "
        "The house's serves every operator; with --operator it is that operator's own."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("channel", help=", ".join(payout_channels.ADAPTERS))
        parser.add_argument("--environment", choices=Environment.values, default=Environment.TEST)
        parser.add_argument("--url", required=True, help="where the bank answers, as bank-protocol.yaml says")
        parser.add_argument(
            "--secret", required=True, help="whsec_…, shared with the bank, kept encrypted; - reads it from the input"
        )
        parser.add_argument("--asset", required=True, help="what it pays out; never changes")
        parser.add_argument("--operator", default="", metavar="SLUG", help="default: the house")
        parser.add_argument("--requery-cap", type=int, default=payout_channels.REQUERY_CAP)

    def handle(self, *args: Any, **options: Any) -> None:
        owner = _owner(options["operator"])
        secret = sys.stdin.readline().strip() if options["secret"] == "-" else options["secret"]  # noqa: S105
        try:
            with db_transaction.atomic():
                connected = payout_channels.connect(
                    operator=owner,
                    environment=options["environment"],
                    channel=options["channel"],
                    base_url=options["url"],
                    secret=secret,
                    asset=options["asset"],
                    requery_cap=options["requery_cap"],
                    now=clock.now(),
                )
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        told = {
            "operator": owner.slug,
            "environment": options["environment"],
            "channel": options["channel"],
            "created": connected.made,
            "requery_cap": connected.gateway.requery_cap,
            "inbox": connected.inbox_path,
        }
        if connected.inbox is not None:
            told["inbox_secret"] = connected.inbox.secret
        self.stdout.write(json.dumps(told))


def _owner(slug: str) -> Operator:
    if slug:
        found = Operator.objects.filter(slug=slug).first()
        if found is None:
            raise CommandError(f"There is no operator {slug!r}.")
        return found
    house = operators.house()
    if house is None:
        raise CommandError("There is no house yet: operator house --name … --kind house makes it.")
    return house
