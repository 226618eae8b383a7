"""A database with rows is migrated from an earlier point to the present one: its rows stay, what is new holds for them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import psycopg
import pytest
from django.db import DatabaseError, IntegrityError, connection, models
from django.db import transaction as db_transaction
from django.db.migrations.executor import MigrationExecutor

from ledger.controls.clock import DatabaseClock
from tests.servers import TestServers

pytestmark = pytest.mark.usefixtures("database")

_EARLIER: Final = {
    "ledger": "0100_posting_by_itself",
    "webhooks": "0020_kinds_of_providers",
    "wallets": "0050_channels",
    "orders": "0080_quote_margins",
    "reconciliation": "0061_batch_lines",
}
_NAME: Final = "upgraded"


@pytest.fixture
def empty_database(servers: TestServers, superuser_connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Have Django speak to a database of this test's own, as the superuser."""
    superuser_connection.execute(f"CREATE DATABASE {_NAME} OWNER holdfast_owner")
    known = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict.update(NAME=_NAME, USER="postgres", PASSWORD=servers.passwords.superuser)
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict.update(known)
        superuser_connection.execute(f"DROP DATABASE {_NAME} WITH (FORCE)")


def _row(model: Any, **given: Any) -> Any:
    """Make a row of a model of then; what is not given and has no default is anything of its kind."""
    fill: dict[type[models.Field[Any, Any]], Any] = {
        models.DateTimeField: _then(),
        models.DateField: _then().date(),
        models.DecimalField: Decimal(1),
        models.IntegerField: 1,
        models.BooleanField: False,
    }
    for field in model._meta.concrete_fields:
        if field.name in given or field.attname in given or field.null or field.has_default() or field.primary_key:
            continue
        kind = next((kind for kind in fill if isinstance(field, kind)), None)
        given[field.attname] = fill[kind] if kind is not None else f"{field.name}-{model.objects.count()}"[:4]
    return model.objects.create(**given)


def _then() -> datetime:
    return datetime(2026, 3, 14, 9, 0, tzinfo=UTC)


def _fill(then: Callable[..., Any], now: datetime) -> None:
    """Put in what such a database has: people's money, an order under review, a refused payout, a notice."""
    operator = _row(then("wallets", "Operator"), reference="opr_1", slug="acme", name="Acme", kind="operator")
    gateway = _row(then("wallets", "Gateway"), operator_id=operator.pk, environment="test", wallet_asset="EUR")
    wallet = _row(then("wallets", "Wallet"), reference="wal_1", environment="test", operator_id=operator.pk)
    freeze = then("wallets", "WalletFreeze")
    _row(freeze, wallet_id=wallet.pk, frozen_by="user:lena", reason="odd", lifted_at=None)
    for key, answered in (("recent", now - timedelta(days=1)), ("old", now - timedelta(days=9))):
        values = {"leg": "submit", "state": "confirmed", "answered_at": answered, "amount_minor": 100_000}
        _row(then("wallets", "RemoteOperation"), key=key, reference=key, gateway_id=gateway.pk, **values)
    order = {"partner_order_id": "p-1", "state": "manual_review", "status_reason": "debit_unknown"}
    _row(then("orders", "Order"), reference="ord_1", operator_id=operator.pk, environment="test", **order)
    _row(then("orders", "ReviewCase"), reference="rev_1", subject="ord_1", state="assigned", owner="olga")
    refused = {"partner_reference": "mine", "state": "failed", "authorized_at": None, "environment": "test"}
    _row(then("orders", "Intent"), reference="int_1", operator_id=operator.pk, kind="payout", **refused)
    _row(then("orders", "PayIn"), reference="pin_1", environment="test")
    _row(then("reconciliation", "Notice"), kind="open_review", subject="rev_1")


def _all(model: Any) -> list[dict[str, Any]]:
    return list(model.objects.order_by("pk").values())


_KEPT: Final = (
    *(("wallets", name) for name in ("Operator", "Gateway", "Wallet", "WalletFreeze", "RemoteOperation")),
    *(("orders", name) for name in ("Order", "ReviewCase", "Intent", "PayIn")),
    ("reconciliation", "Notice"),
)


def test_rows_of_an_earlier_database_are_those_of_the_present_one(empty_database: None) -> None:
    executor = MigrationExecutor(connection)
    earlier = [(app, _EARLIER.get(app, name)) for app, name in executor.loader.graph.leaf_nodes()]
    then = executor.migrate(earlier).apps.get_model
    now = DatabaseClock().now()
    with _without_triggers():
        _fill(then, now)
    before = {name: _all(then(*name)) for name in _KEPT}
    assert all(before.values())

    executor = MigrationExecutor(connection)
    present = executor.migrate(executor.loader.graph.leaf_nodes()).apps.get_model

    after = {name: _all(present(*name)) for name in _KEPT}
    for name, rows in before.items():
        assert [{column: row[column] for column in old} for old, row in zip(rows, after[name], strict=True)] == rows
    (gateway,) = after["wallets", "Gateway"]
    assert gateway["inquiry_concurrency"] == 6
    recent, old = after["wallets", "RemoteOperation"]
    assert recent["read_due_at"] is not None, "payments of the last week are read again from now on"
    assert old["read_due_at"] is None
    assert after["orders", "PayIn"][0]["occurred_said"] == ""
    assert after["wallets", "Wallet"][0]["moved_after_close_at"] is None
    assert after["reconciliation", "Notice"][0]["mailed_at"] is None
    _holds(present)


def _holds(present: Callable[..., Any]) -> None:
    """What the later migrations changed holds for the rows that were there before."""
    wallet = present("wallets", "Wallet").objects.get()
    freeze, intent = present("wallets", "WalletFreeze"), present("orders", "Intent")
    operator = present("wallets", "Operator").objects.get()
    again = {"operator_id": operator.pk, "environment": "test", "kind": "payout", "partner_reference": "mine"}
    _row(freeze, wallet_id=wallet.pk, frozen_by="user:lou", reason="odd too", lifted_at=None)
    with _without_triggers():
        _row(intent, reference="int_2", state="created", **again)
    with pytest.raises(IntegrityError, match="intent_partner_reference_once"), _without_triggers():
        _row(intent, reference="int_3", state="created", **again)
    refused: dict[str, Callable[[], Any]] = {
        "wallet_frozen_once_by_each": lambda: _row(
            freeze, wallet_id=wallet.pk, frozen_by="user:lena", reason="again", lifted_at=None
        ),
        "gateway_inquires_at_least_once": lambda: present("wallets", "Gateway").objects.update(inquiry_concurrency=0),
        "manual_review.*queued": lambda: present("orders", "Order").objects.update(state="queued"),
    }
    for why, change in refused.items():
        with pytest.raises(DatabaseError, match=why), db_transaction.atomic():
            change()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT has_table_privilege('holdfast_app', 'wallets_inquiry', 'UPDATE'),"
            " has_table_privilege('holdfast_app', 'orders_order', 'UPDATE')"
        )
        assert cursor.fetchone() == (False, True)


@contextmanager
def _without_triggers() -> Iterator[None]:
    """Rows of any state are born in here: no flow leads to them in an instant."""
    with db_transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        yield
