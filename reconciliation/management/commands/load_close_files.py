"""Load the files of a close into a database of one's own, to ask them what one likes."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import psycopg
from django.core.management.base import BaseCommand, CommandError

from reconciliation import scratch


class Command(BaseCommand):
    help = "Load a close's CSV files into an empty database, with the views pool_trades and ledger_entries."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("folder", help="where the files lie (the ZIP unpacked)")
        parser.add_argument("--into", required=True, help="postgresql://… of an empty database, not Holdfast's own")

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(options["folder"])
        if not any(folder.glob("*.csv")):
            raise CommandError(f"{folder} has no CSV files.")
        try:
            with psycopg.connect(options["into"], autocommit=True) as connection:
                rows = scratch.load(connection=connection, folder=folder)
        except psycopg.Error as error:
            raise CommandError(f"The files were not loaded: {error}") from error
        for table, number in rows.items():
            self.stdout.write(f"{table}: {number} rows")
