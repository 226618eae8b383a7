"""Make, list and revoke an operator's API keys. A key is printed once and stored nowhere."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.controls import clock
from ledger.controls.refusals import Refusal
from ledger.controls.rest.answers import instant_or_none
from ledger.environments import Environment
from wallets import operators
from wallets.models import Operator, OperatorKey


class Command(BaseCommand):
    help = "Make an API key for an operator; it is shown once. --list shows what there is, --revoke ID ends one."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("slug")
        parser.add_argument("--environment", choices=Environment.values, default=Environment.TEST)
        parser.add_argument("--label", default="made on the command line")
        parser.add_argument("--scope", action="append", default=[], help="repeat; default: all of an operator's")
        parser.add_argument("--days", type=int, default=0, help="how long it lasts; 0 for ever")
        parser.add_argument("--json", action="store_true", help="print the key with its id")
        parser.add_argument("--list", action="store_true", help="one JSON object a line")
        parser.add_argument("--revoke", type=int, metavar="ID")

    def handle(self, *args: Any, **options: Any) -> None:
        operator = Operator.objects.filter(slug=options["slug"]).first()
        if operator is None:
            raise CommandError(f"There is no operator {options['slug']!r}.")
        if options["list"]:
            for key in OperatorKey.objects.filter(operator=operator).order_by("pk"):
                self.stdout.write(json.dumps(_shown(key)))
        elif options["revoke"] is not None:
            self._revoke(operator, options["revoke"])
        else:
            self._issue(operator, options)

    def _issue(self, operator: Operator, options: dict[str, Any]) -> None:
        now = clock.now()
        try:
            issued = operators.issue_key(
                operator=operator,
                environment=options["environment"],
                label=options["label"],
                scopes=options["scope"] or [str(scope) for scope in operators.OPERATOR_SCOPES],
                created_by="command line",
                now=now,
                expires_at=now + timedelta(days=options["days"]) if options["days"] else None,
            )
        except Refusal as refusal:
            raise CommandError(refusal.message) from refusal
        told = json.dumps({"id": issued.key.pk, "api_key": issued.secret}) if options["json"] else issued.secret
        self.stdout.write(told)

    def _revoke(self, operator: Operator, key_id: int) -> None:
        key = OperatorKey.objects.filter(operator=operator, pk=key_id).first()
        if key is None:
            raise CommandError(f"{operator.slug} has no key {key_id}.")
        operators.revoke_key(key=key, now=clock.now())
        self.stdout.write(f"{key.hint}… is revoked.")


def _shown(key: OperatorKey) -> dict[str, Any]:
    return {
        "id": key.pk,
        "hint": key.hint,
        "label": key.label,
        "environment": key.environment,
        "scopes": key.scopes,
        "created_at": instant_or_none(key.created_at),
        "expires_at": instant_or_none(key.expires_at),
        "revoked_at": instant_or_none(key.revoked_at),
        "last_used_at": instant_or_none(key.last_used_at),
    }
