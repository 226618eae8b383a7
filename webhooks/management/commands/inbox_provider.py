"""Create, rotate, allow, disable or enable a provider of inbound events. A new secret is printed once, as JSON."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction as db_transaction

from ledger.controls import clock
from ledger.controls.refusals import Refusal
from ledger.environments import Environment
from webhooks import providers


class Command(BaseCommand):
    help = (
        "inbox_provider create|rotate|allow|disable|enable CODE: who may send to /v1/inbox/CODE, and with which secret."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("action", choices=("create", "rotate", "allow", "disable", "enable"))
        parser.add_argument("code")
        parser.add_argument("--environment", choices=Environment.values, default=Environment.TEST)
        parser.add_argument("--operator-id", type=int, default=None, help="whose provider it is; without: the house's")
        parser.add_argument("--scheme", choices=providers.Scheme.values, default=providers.Scheme.STANDARD)
        parser.add_argument("--signature-header", default="")
        parser.add_argument("--timestamp-header", default="")
        parser.add_argument("--tolerance", type=int, default=300, help="seconds")
        parser.add_argument("--size-limit", type=int, default=65_536, help="bytes")
        parser.add_argument("--event-id", default="", help="path in the body; without: the webhook-id header")
        parser.add_argument("--kind", default="type", help="path in the body")
        parser.add_argument("--subject", action="append", default=[], help="path in the body; may come several times")
        parser.add_argument(
            "--transaction",
            default="",
            help=f"path in the body of the provider's own reference; without: {providers.USUAL_TRANSACTION}",
        )
        parser.add_argument(
            "--field",
            action="append",
            default=[],
            metavar="NAME=PATH",
            help="where a handler finds it: amount=data.sum",
        )
        parser.add_argument(
            "--may-bring",
            action="append",
            default=[],
            metavar="KIND",
            help="a kind of news, a family such as payin.*, or * for all; may come several times (create, allow)",
        )
        parser.add_argument("--secret-from", default="", metavar="FILE", help="a secret that the provider has chosen")
        parser.add_argument("--overlap-hours", type=int, default=24, help="how long the older secrets stay valid")
        parser.add_argument("--reason", default="by the command line")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with db_transaction.atomic():
                made = _carry_out(options)
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        told = {"provider": options["code"], "path": f"/v1/inbox/{options['code']}"}
        self.stdout.write(json.dumps(told | ({"secret": made.secret} if made else {})))


def _carry_out(options: dict[str, Any]) -> providers.Made | None:
    code, now = options["code"], clock.now()
    match options["action"]:
        case "create":
            return providers.create(
                code=code,
                environment=options["environment"],
                operator_id=options["operator_id"],
                terms=_terms(options),
                secret=_secret(options),
                now=now,
            )
        case "rotate":
            overlap = timedelta(hours=options["overlap_hours"])
            return providers.rotate(code=code, overlap=overlap, secret=_secret(options), now=now)
        case "allow":
            providers.allow(code=code, kinds=options["may_bring"])
        case "disable":
            providers.disable(code=code, reason=options["reason"], now=now)
        case _:
            providers.enable(code=code)
    return None


def _terms(options: dict[str, Any]) -> providers.Terms:
    return providers.Terms(
        scheme=providers.Scheme(options["scheme"]),
        kind=options["kind"],
        subjects=options["subject"],
        kinds=options["may_bring"],
        event_id=options["event_id"],
        transaction=options["transaction"],
        signature_header=options["signature_header"],
        timestamp_header=options["timestamp_header"],
        tolerance_seconds=options["tolerance"],
        size_limit=options["size_limit"],
        fields=_fields(options["field"]),
    )


def _fields(pairs: list[str]) -> dict[str, str]:
    named = [pair.partition("=") for pair in pairs]
    if not all(path for _, _, path in named):
        raise CommandError("A field is NAME=PATH, such as amount=data.sum.")
    return {name: path for name, _, path in named}


def _secret(options: dict[str, Any]) -> str:
    """Read a given secret from a file: an argument would stand in the list of processes."""
    if not options["secret_from"]:
        return ""
    try:
        with open(options["secret_from"], encoding="utf-8") as file:
            return file.read(1000).strip()
    except (OSError, ValueError) as error:
        raise CommandError(f"The secret cannot be read: {type(error).__name__}") from None
