"""What the filters of a report's page say: environment, asset, and as of when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import urlencode

from ledger.books import number_of
from ledger.controls.refusals import Malformed, Refusal
from ledger.environments import Environment
from ledger.models import Asset, Transaction
from ledger.reports.scopes import Scope, scope_of

FIELDS: Final = ("environment", "asset", "block", "date", "from", "to", "gl_code", "account_class", "view")


@dataclass(frozen=True, slots=True)
class Filters:
    """`given` is what stands in the form; `refusal` says why it was not followed, the scope is then that of now."""

    given: Mapping[str, str]
    environment: str
    asset: str
    gl_code: str
    account_class: str
    view: str
    scope: Scope
    refusal: str = ""

    def link(self, **changes: str) -> str:
        """Return the query of the same filters with changes; what is empty is left out."""
        merged = {**self.given, "environment": self.environment, **changes}
        return "?" + urlencode({name: value for name, value in merged.items() if value})


def read(query: Mapping[str, str]) -> Filters:
    """Read a page's query. What makes no sense is told and not followed."""
    given = {name: query.get(name, "").strip()[:60].replace("\x00", "") for name in FIELDS}
    environment = given["environment"] if given["environment"] in Environment.values else _usual()
    refusal = ""
    try:
        scope = scope_of(
            environment=environment,
            block=_number(given["block"]),
            on=_date(given["date"]),
            since=_date(given["from"]),
            to=_date(given["to"]),
        )
    except Refusal as refused:
        refusal, scope = refused.message, scope_of(environment=environment)
    return Filters(
        given,
        environment,
        asset=given["asset"],
        gl_code=given["gl_code"],
        account_class=given["account_class"],
        view=given["view"],
        scope=scope,
        refusal=refusal,
    )


def asset_codes() -> list[str]:
    return list(Asset.objects.order_by("code").values_list("code", flat=True))


def _usual() -> str:
    """Return live once its book has something in it."""
    live = Transaction.objects.filter(book_id=number_of(Environment.LIVE)).exists()
    return Environment.LIVE.value if live else Environment.TEST.value


def _number(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) > 0):
        raise Malformed("A block is a whole number from 1.")
    return int(text)


def _date(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Malformed("A date is YYYY-MM-DD.") from error
