"""Create an operator, with its gateway when a wallet's address is given. Doing it again changes only the gateway."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction as db_transaction

from ledger.assets import UnknownAsset, named
from ledger.controls import clock
from ledger.environments import Environment
from wallets import inbox_provider, operators
from wallets.gateway_terms import WALLET
from wallets.models import Gateway, Operator
from webhooks import signatures


class Command(BaseCommand):
    help = (
        "Create an operator (idempotent by slug; prints one JSON object). "
        "With --wallet-url, --wallet-secret and --asset its gateway too."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("slug", help="part of its account addresses; never changes")
        parser.add_argument("--name", default="", help="needed for a new operator")
        parser.add_argument("--kind", choices=Operator.Kind.values, default=Operator.Kind.OPERATOR)
        parser.add_argument("--environment", choices=Environment.values, default=Environment.TEST)
        parser.add_argument("--wallet-url", default="")
        parser.add_argument("--wallet-secret", default="", help="whsec_…, shared with the wallet service")
        parser.add_argument("--asset", default="EUR", help="of the wallet; never changes")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["wallet_url"]:
            _check_secret(options["wallet_secret"])
        with db_transaction.atomic():
            operator, created = _operator(options)
            inbox = _connect(operator, options) if options["wallet_url"] else {}
        told = {"operator": operator.reference, "slug": operator.slug, "kind": operator.kind, "created": created}
        told |= inbox
        self.stdout.write(json.dumps(told))


def _check_secret(secret: str) -> None:
    """Refuse what signs nothing: every question would fail with it."""
    try:
        signatures.sign(secrets=[secret], message_id="check", timestamp=0, body=b"")
    except signatures.MalformedSecret as malformed:
        raise CommandError(f"--wallet-url needs --wallet-secret: {malformed}") from malformed


def _operator(options: dict[str, Any]) -> tuple[Operator, bool]:
    found = Operator.objects.filter(slug=options["slug"]).first()
    if found is None:
        if not options["name"]:
            raise CommandError("A new operator needs --name.")
        made = operators.create_operator(
            name=options["name"], slug=options["slug"], kind=options["kind"], now=clock.now()
        )
        return made, True
    if found.kind != options["kind"]:
        raise CommandError(f"{found.slug} is of kind {found.kind}.")
    return found, False


def _connect(operator: Operator, options: dict[str, Any]) -> dict[str, str]:
    """Point the operator's gateway at a wallet service, and open what its orders post to.

    Returns where the wallet service may send events, and the secret when it was made just now.
    """
    try:
        asset = named(options["asset"]).code
    except UnknownAsset as error:
        raise CommandError(error.message) from error
    gateway, made = Gateway.objects.get_or_create(
        operator=operator,
        environment=options["environment"],
        channel=WALLET,
        defaults={"base_url": options["wallet_url"], "secret": options["wallet_secret"], "wallet_asset": asset},
    )
    if gateway.wallet_asset != asset:
        raise CommandError(f"The wallet of {operator.slug} holds {gateway.wallet_asset}; that never changes.")
    if not made:
        Gateway.objects.filter(pk=gateway.pk).update(base_url=options["wallet_url"], secret=options["wallet_secret"])
    operators.open_operator_accounts(operator=operator, environment=options["environment"], wallet_asset=asset)
    made_provider = inbox_provider.ensure(gateway, now=clock.now())
    inbox = {"inbox": f"/v1/inbox/{inbox_provider.code_of(gateway)}"}
    return inbox | ({"inbox_secret": made_provider.secret} if made_provider else {})
