"""Create an operator, with its gateway when a wallet's address is given."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import IntegrityError
from django.db import transaction as db_transaction

from ledger.assets import UnknownAsset, named
from ledger.controls import clock
from ledger.environments import Environment
from wallets import operators
from wallets.models import Gateway, Operator


class Command(BaseCommand):
    help = "Create an operator. With --wallet-url, --wallet-secret and --asset its gateway too."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("slug", help="part of its account addresses; never changes")
        parser.add_argument("--name", required=True)
        parser.add_argument("--kind", choices=Operator.Kind.values, default=Operator.Kind.OPERATOR)
        parser.add_argument("--environment", choices=Environment.values, default=Environment.TEST)
        parser.add_argument("--wallet-url", default="")
        parser.add_argument("--wallet-secret", default="", help="whsec_…, shared with the wallet service")
        parser.add_argument("--asset", default="EUR")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["wallet_url"] and not options["wallet_secret"].startswith("whsec_"):
            raise CommandError("--wallet-url needs --wallet-secret, whsec_ and base64.")
        try:
            named(options["asset"])
            with db_transaction.atomic():
                operator = operators.create_operator(
                    name=options["name"], slug=options["slug"], kind=options["kind"], now=clock.now()
                )
                if options["wallet_url"]:
                    Gateway.objects.create(
                        operator=operator,
                        environment=options["environment"],
                        base_url=options["wallet_url"],
                        secret=options["wallet_secret"],
                        wallet_asset=options["asset"],
                    )
                    operators.open_operator_accounts(
                        operator=operator, environment=options["environment"], wallet_asset=options["asset"]
                    )
        except UnknownAsset as error:
            raise CommandError(error.message) from error
        except IntegrityError as error:
            raise CommandError(f"There is an operator {options['slug']!r} already.") from error
        self.stdout.write(json.dumps({"operator": operator.reference, "slug": operator.slug}))
