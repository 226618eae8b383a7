"""Make an API key for an operator. The key is printed once and stored nowhere."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from ledger.controls import clock
from ledger.controls.refusals import Refusal
from ledger.environments import Environment
from wallets import operators
from wallets.models import Operator


class Command(BaseCommand):
    help = "Make an API key for an operator; it is shown once."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("slug")
        parser.add_argument("--environment", choices=Environment.values, default=Environment.TEST)
        parser.add_argument("--label", default="made on the command line")
        parser.add_argument("--scope", action="append", default=[], help="repeat; default: all of an operator's")
        parser.add_argument("--days", type=int, default=0, help="how long it lasts; 0 for ever")

    def handle(self, *args: Any, **options: Any) -> None:
        operator = Operator.objects.filter(slug=options["slug"]).first()
        if operator is None:
            raise CommandError(f"There is no operator {options['slug']!r}.")
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
        self.stdout.write(issued.secret)
