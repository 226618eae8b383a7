"""`manage.py quote_margin POOL --environment test --basis-points 1`: how far a pair's quotes stay below its curve."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction as db_transaction

from ledger.controls.refusals import Refusal
from ledger.environments import Environment
from orders.models import Pool
from orders.operations.set_quote_margin import set_quote_margin


class Command(BaseCommand):
    help = "Let a built-in pair's quotes stay so far below its curve that they outlive others' orders."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pool")
        parser.add_argument("--environment", choices=Environment.values, required=True)
        parser.add_argument("--basis-points", type=int, required=True)

    def handle(self, *args: Any, pool: str, environment: str, basis_points: int, **options: Any) -> None:
        found = Pool.objects.filter(code=pool, environment=environment).first()
        if found is None:
            raise CommandError(f"There is no pool {pool} in {environment}.")
        try:
            with db_transaction.atomic():
                set_quote_margin(pool=found, basis_points=basis_points)
        except Refusal as refusal:
            raise CommandError(str(refusal)) from refusal
        self.stdout.write(f"Quotes of {pool} stay {basis_points} basis points below its curve.")
