"""Encrypt every kept secret again, with the newest of SECRETS_KEYS; afterwards the older keys may go."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand

from ledger.controls.encrypted_columns import renew_column
from ledger.controls.encrypted_field import EncryptedField


class Command(BaseCommand):
    help = "Encrypt kept secrets again with the newest of SECRETS_KEYS. Safe to repeat, and while everything runs."

    def handle(self, *args: Any, **options: Any) -> None:
        for table, column in sorted(_columns()):
            self.stdout.write(f"{table}.{column}: {renew_column(table, column)}")
        answers = renew_column(
            "ledger_claim", "answer_body", where="substr(answer_body, 1, 5) = 'enc1:'::bytea", binary=True
        )
        self.stdout.write(f"ledger_claim.answer_body: {answers}")


def _columns() -> set[tuple[str, str]]:
    """Return every encrypted column of every model, so that a new one cannot be forgotten."""
    return {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, EncryptedField)
    }
