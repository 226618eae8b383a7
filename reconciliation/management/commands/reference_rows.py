"""Load the reference rows: assets, books, legal moves, roles. Run by the tables' owner after `migrate`."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction as db_transaction

from ledger import reference_rows, schedule
from ledger.controls import roles


class Command(BaseCommand):
    help = "Load the reference rows (idempotent; as the owner of the tables)."

    def handle(self, *args: Any, **options: Any) -> None:
        with db_transaction.atomic():
            reference_rows.load()
            schedule.load()
            roles.load()
        self.stdout.write("Reference rows are loaded.")
