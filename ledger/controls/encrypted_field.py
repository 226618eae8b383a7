"""A column whose text is encrypted at rest (`ledger.controls.ciphers`); in Python it is the plain text."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import FieldError
from django.db import models

from ledger.controls import ciphers
from ledger.controls.redaction import REDACTED

if TYPE_CHECKING:
    _Text = models.TextField[str, str]
else:
    _Text = models.TextField


class EncryptedField(_Text):
    """Text that the database sees encrypted. It cannot be searched for, and a serializer does not show it.

    SQL that reads the column raw gets the encrypted text: `ciphers.decrypt` it in Python.
    """

    def get_prep_value(self, value: Any) -> Any:  # type: ignore[explicit-any, unused-ignore]  # Django's signature
        prepared = super().get_prep_value(value)
        return ciphers.encrypt(prepared.encode()) if isinstance(prepared, str) and prepared else prepared

    def from_db_value(self, value: str | None, expression: object, connection: object) -> str | None:
        return ciphers.decrypt(value).decode() if value else value

    def get_lookup(self, lookup_name: str) -> Any:  # type: ignore[explicit-any, unused-ignore]  # Django's signature
        if lookup_name != "isnull":
            raise FieldError(f"{self.name} is encrypted: it cannot be compared with {lookup_name}")
        return super().get_lookup(lookup_name)

    def value_to_string(self, obj: models.Model) -> str:
        return REDACTED
