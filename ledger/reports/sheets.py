"""Reports as CSV, streamed by COPY: amounts as decimal strings, no text cell that a spreadsheet takes for a formula."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from django.db import connection
from psycopg import sql

from ledger.reports.books import balances_parameters, statement
from ledger.reports.scopes import Scope, Value
from ledger.statements import account_id, page_of_all, page_within

_BLOCK: Final = 64 * 1024
_BEFORE_ALL: Final = "00000000-0000-0000-0000-000000000000"
_NOTHING: Final = "SELECT 0::numeric AS dp, 0::numeric AS cp, 0::numeric AS dq, 0::numeric AS cq"
_WITH_SCALE: Final = """
SELECT s.*, (SELECT scale FROM ledger_asset WHERE code = %(asset)s)
FROM ({query}) AS s ({columns}) WHERE s.id IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Sheet:
    """`columns` are the statement's, in order; `cells` are (header, kind, column), kind is text, amount, number, time."""

    name: str
    columns: tuple[str, ...]
    cells: tuple[tuple[str, str, str], ...]


_FOUR: Final = tuple(
    (name, "amount", column)
    for name, column in (
        ("debits_posted", "dp"),
        ("credits_posted", "cp"),
        ("debits_pending", "dq"),
        ("credits_pending", "cq"),
    )
)
BALANCES: Final = Sheet(
    "balances",
    ("address", "asset", "account_class", "gl_code", "side", "view", "dp", "cp", "dq", "cq", "scale", "id"),
    (
        ("address", "text", "address"),
        ("asset", "text", "asset"),
        ("account_class", "text", "account_class"),
        ("gl_code", "text", "gl_code"),
        ("normal_side", "text", "side"),
        ("workflow_view", "text", "view"),
        *_FOUR,
        ("balance", "amount", "CASE side WHEN 'credit' THEN cp - dp ELSE dp - cp END"),
    ),
)
TRIAL_BALANCE: Final = Sheet(
    "trial_balance",
    ("gl_code", "asset", "account_class", "side", "accounts", "dp", "cp", "dq", "cq", "scale"),
    (
        ("gl_code", "text", "gl_code"),
        ("asset", "text", "asset"),
        ("account_class", "text", "account_class"),
        ("normal_side", "text", "side"),
        ("accounts", "number", "accounts"),
        *_FOUR,
        ("debit_balance", "amount", "greatest(dp - cp, 0)"),
        ("credit_balance", "amount", "greatest(cp - dp, 0)"),
    ),
)
ALM: Final = Sheet(
    "alm",
    ("asset", "part", "account_class", "view", "accounts", "posted", "pending", "scale"),
    (
        ("asset", "text", "asset"),
        ("part", "text", "part"),
        ("account_class", "text", "account_class"),
        ("workflow_view", "text", "view"),
        ("accounts", "number", "accounts"),
        ("posted", "amount", "posted"),
        ("pending", "amount", "pending"),
    ),
)
_TOLD: Final = tuple((name, "text", f"%({name})s::text") for name in ("as_of", "final", "root"))
_STATEMENT: Final = Sheet(
    "statement",
    (
        *("odp", "ocp", "odq", "ocq", "id", "transaction_id", "key", "event_type", "kind", "subject", "effective_at"),
        *("recorded_at", "value_date", "counterparty", "side", "posted", "pending", "dp", "cp", "dq", "cq"),
    ),
    (
        ("ledger_id", "text", "'led_' || replace(id::text, '-', '')"),
        ("transaction_id", "text", "transaction_id::text"),
        ("key", "text", "key"),
        ("event_type", "text", "event_type"),
        ("kind", "text", "kind"),
        ("subject", "text", "subject"),
        ("effective_at", "time", "effective_at"),
        ("recorded_at", "time", "recorded_at"),
        ("counterparty", "text", "counterparty"),
        ("side", "text", "side"),
        ("posted", "amount", "posted"),
        ("pending", "amount", "pending"),
        *((f"{name}_after", kind, column) for name, kind, column in _FOUR),
    ),
)


def report(
    sheet: Sheet, scope: Scope, *, asset: str = "", gl_code: str = "", account_class: str = "", view: str = ""
) -> Iterator[bytes]:
    """Stream a whole report. Each row says as of what it is, whether that is final, and the sealed block's root."""
    given: dict[str, Value] = {"asset": asset}
    if sheet is BALANCES:
        given = balances_parameters(asset=asset, gl_code=gl_code, account_class=account_class, view=view)
    told: dict[str, Value] = {"as_of": scope.told, "final": "no" if scope.provisional else "yes", "root": scope.root}
    query = statement(sheet.name, scope)
    return _streamed(replace(sheet, cells=(*sheet.cells, *_TOLD)), query, {**scope.parameters, **given, **told})


def account_statement(*, environment: str, address: str, asset: str, scope: Scope | None = None) -> Iterator[bytes]:
    """Stream an account's postings with running balances, oldest first: all, or those in a scope. Raises NotFound."""
    account = account_id(environment=environment, address=address, asset=asset)
    query = page_within(scope) if scope is not None and scope.counts else page_of_all(_NOTHING)
    rows = _WITH_SCALE.replace("{query}", query).replace("{columns}", ", ".join(_STATEMENT.columns))
    sheet = Sheet(_STATEMENT.name, (*_STATEMENT.columns, "scale"), _STATEMENT.cells)
    given: dict[str, Value] = {
        **(scope.parameters if scope else {}),
        "account": account,
        "after": _BEFORE_ALL,
        "limit": None,
        "asset": asset,
    }
    return _streamed(sheet, rows, given)


def _streamed(sheet: Sheet, query: str, parameters: Mapping[str, Value]) -> Iterator[bytes]:
    cells = ", ".join(f'{_CELLS[kind].format(column)} AS "{header}"' for header, kind, column in sheet.cells)
    rows = f"SELECT {cells} FROM ({query}) AS r ({', '.join(sheet.columns)})"  # noqa: S608  (constants of this module)
    copied = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)").format(sql.SQL(rows))
    return _blocks(copied, parameters)


def _blocks(copied: sql.Composed, parameters: Mapping[str, Value]) -> Iterator[bytes]:
    waiting = bytearray()
    with connection.cursor() as cursor, cursor.copy(copied, parameters) as copy:
        for block in copy:
            waiting += block
            if len(waiting) >= _BLOCK:
                yield bytes(waiting)
                waiting.clear()
    yield bytes(waiting)


_CELLS: Final = {
    "text": r"CASE WHEN {0} ~ E'^[-=+@\t\r\n]' THEN '''' || {0} ELSE {0} END",
    "amount": "(({0}) * ('1e-' || scale)::numeric)::text",
    "number": "{0}",
    "time": "to_char({0} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
}
