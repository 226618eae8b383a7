"""Write docs/states.md and docs/states/*.svg from the machines' own edges."""

from typing import Any

from django.core.management.base import BaseCommand

from ledger.controls import state_documents


class Command(BaseCommand):
    help = "Draw every state machine into docs/states/ and list its moves in docs/states.md. Touches no database."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        files = state_documents.written()
        folder = state_documents.DOCS / "states"
        folder.mkdir(exist_ok=True)
        for gone in set(folder.glob("*.svg")) - set(files):
            gone.unlink()
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
        self.stdout.write(f"{len(files)} files are written")
