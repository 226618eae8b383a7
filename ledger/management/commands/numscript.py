"""Numscript: `manage.py numscript test PATH…` runs cases, `manage.py numscript run FILE` shows postings."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ledger import numscript
from ledger.numscript import specs
from ledger.numscript.features import Feature


class Command(BaseCommand):
    help = "Run the cases beside Numscript files, or one script with balances of your own."
    requires_system_checks: list[str] = []  # it touches no table

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        test = actions.add_parser("test", help="run the cases of *.num.specs.json files; status 1 when one fails")
        test.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a folder, a script or a file of cases")
        run = actions.add_parser("run", help="show what a script posts")
        run.add_argument("file", type=Path, metavar="FILE")
        run.add_argument("--vars", default="{}", metavar="JSON_OR_FILE", help='{"amount": "EUR 100"}')
        run.add_argument("--balances", default="{}", metavar="JSON_OR_FILE", help='{"users:1": {"EUR": 100}}')
        run.add_argument("--meta", default="{}", metavar="JSON_OR_FILE", help='{"users:1": {"fee": "1%%"}}')
        run.add_argument(
            "--features",
            nargs="*",
            default=[],
            choices=[*Feature],
            metavar="NAME",
            help="enabled beside the script's own",
        )

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        console = Console(file=self.stdout, highlight=False, soft_wrap=True)  # type: ignore[arg-type]  # it writes text
        if action == "test":
            _test(console, options["paths"])
        else:
            _run(console, options["file"], options)


def _test(console: Console, paths: list[Path]) -> None:
    passed = failed = 0
    files = [(path, specs.found(path)) for path in paths]
    for path, cases in files:
        if not cases:
            console.print(f"[red]FAILED[/] {escape(str(path))}: there is no *{specs.ENDING} here")
            failed += 1
        for file in cases:
            try:
                for verdict in specs.check(file):
                    passed += not verdict.mismatches and not verdict.skipped
                    failed += bool(verdict.mismatches)
                    _show(console, verdict)
            except specs.SpecsInvalid as invalid:
                console.print(f"[red]FAILED[/] {escape(str(file))}: {escape(str(invalid))}")
                failed += 1
    console.print(f"{passed} passed, {failed} failed")
    if failed:
        sys.exit(1)


def _show(console: Console, verdict: specs.Verdict) -> None:
    name = escape(f"{verdict.path}: {verdict.case}")
    if verdict.skipped:
        console.print(f"[yellow]skipped[/] {name}")
    if verdict.mismatches:
        console.print(f"[red]FAILED[/] {name}")
    for mismatch in verdict.mismatches:
        console.print(f"  {escape(mismatch.what)}")
        for title, lines in (("expected", mismatch.expected), ("got", mismatch.got)):
            console.print(f"    {title}:")
            for line in lines:
                console.print(f"      {escape(line)}")


def _run(console: Console, file: Path, options: dict[str, Any]) -> None:
    try:
        source = file.read_text(encoding=specs.ENCODING)
    except (OSError, UnicodeDecodeError) as failed:
        raise CommandError(f"{file} cannot be read: {failed}") from failed
    given = {name: _json(options[name], "--" + name) for name in ("vars", "balances", "meta")}
    try:
        case = specs.case_of(variables=given["vars"], balances=given["balances"], metadata=given["meta"])
    except specs.SpecsInvalid as invalid:
        raise CommandError(f"The case cannot be read: {invalid}.") from invalid
    try:
        program = numscript.parse(source, features=options["features"])
        run = numscript.execute(program, case.variables, balances=case.balances, metadata=case.metadata)
    except numscript.NumscriptError as refused:
        raise CommandError(f"{file}: {numscript.pointed_out(refused, source)}") from refused
    console.print(_postings(run) if run.postings else "No postings.")
    for title, rows in _metadata(run):
        console.print(f"{title}: {escape(rows)}")


def _json(text_or_file: str, name: str) -> specs.Json:
    try:
        if not text_or_file.lstrip().startswith(("{", "[")):
            text_or_file = Path(text_or_file).read_text(encoding=specs.ENCODING)
        return specs.json_of(text_or_file)
    except (OSError, UnicodeDecodeError) as failed:
        raise CommandError(f"{name} is neither JSON nor a file: {failed}") from failed
    except specs.SpecsInvalid as invalid:
        raise CommandError(f"{name} is {invalid}") from invalid


def _postings(run: numscript.Execution) -> Table:
    table = Table("source", "destination", "asset")
    colored = any(sent.color for sent in run.postings)
    if colored:
        table.add_column("color")
    table.add_column("amount", justify="right")
    for sent in run.postings:
        names = [sent.source, sent.destination, sent.asset, *([sent.color] if colored else [])]
        table.add_row(*(escape(name) for name in names), str(sent.amount))
    return table


def _metadata(run: numscript.Execution) -> list[tuple[str, str]]:
    rows = [
        ("transaction metadata", f"{key} = {numscript.text(value)}") for key, value in run.transaction_metadata.items()
    ]
    for address, kept in run.account_metadata.items():
        rows += [("account metadata", f"{address}: {key} = {numscript.text(value)}") for key, value in kept.items()]
    return rows
