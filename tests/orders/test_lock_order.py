"""Rows are locked in the house's one order (DESIGN.md section 3), whatever a venue says and whatever befalls the pool."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db import transaction as db_transaction

from orders.models import Order
from orders.operations.halt_pool import halt_pool
from tests.orders.desk import Desk, reloaded
from tests.orders.lanes import Lanes, open_lanes, pool_of
from tests.orders.test_outside_venue import refusing
from tests.orders.wallet import ScriptedWallet, declined, true_state
from wallets.gateway_port import RemoteRequest, Reply

pytestmark = pytest.mark.usefixtures("database")

_ORDER = (
    *("orders_order", "orders_quote", "orders_trade", "orders_return", "wallets_remoteoperation", "orders_reviewcase"),
    *("orders_pool", "orders_market", "wallets_breaker"),
)
_LOCKS = re.compile(r'FROM "(\w+)".*FOR UPDATE', re.DOTALL)


class Watch:
    """What each transaction locked, in order; `wrong` are those that went back."""

    def __init__(self) -> None:
        self.wrong: list[list[str]] = []
        self.met: set[str] = set()
        self._present: list[str] = []
        self._of: object = None

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        result = execute(sql, *rest)
        with connection.connection.cursor() as cursor:
            transaction = cursor.execute("SELECT pg_current_xact_id_if_assigned()").fetchone()
        if connection.in_atomic_block and (found := _LOCKS.search(sql)) and found.group(1) in _ORDER:
            if transaction != self._of:
                self._of, self._present = transaction, []
            self._look_at(found.group(1))
        return result

    def _look_at(self, table: str) -> None:
        if self._present and _ORDER.index(table) < _ORDER.index(self._present[-1]) and table not in self._present:
            self.wrong.append([*self._present, table])
        self._present.append(table)
        self.met.add(table)


@contextmanager
def watched() -> Iterator[Watch]:
    watch = Watch()
    with connection.execute_wrapper(watch):
        yield watch
    assert watch.wrong == []


def _halting(desk: Desk) -> Callable[[ScriptedWallet, str, RemoteRequest], Reply]:
    def answer(wallet: ScriptedWallet, kind: str, request: RemoteRequest) -> Reply:
        with db_transaction.atomic():
            halt_pool(pool=pool_of(reserves=True), reason="test", actor="user:lead", now=desk.clock.now())
        return true_state(wallet, kind, request)

    return answer


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(
    ("leg", "befalls"),
    [
        ("reserve", "halted"),
        ("debit", "halted"),
        ("execute", "declined"),
        ("execute", "released"),
        ("reserve", "declined"),
        ("none", "well"),
    ],
)
def test_rows_are_locked_in_one_order(desk: Desk, side: str, leg: str, befalls: str) -> None:
    lanes: Lanes = open_lanes(desk)
    lanes.holding()
    steps = {"halted": _halting(desk), "declined": declined, "released": refusing("released"), "well": None}
    desk.wallet.legs = {leg: [steps[befalls], None]}
    order: Order = lanes.order(side=side, amount="50.000000" if side == "sell" else "100.00")
    with watched() as watch:
        desk.drive(passes=6)
    assert reloaded(order).terminal
    assert {"orders_order", "orders_trade", "wallets_remoteoperation", "orders_pool"} <= watch.met


def test_the_watch_sees_a_pool_that_is_locked_before_an_operation(desk: Desk) -> None:
    """What this file would be worth nothing without."""
    order = desk.order()
    watch = Watch()
    with connection.execute_wrapper(watch), db_transaction.atomic(), connection.cursor() as cursor:
        for table in ("orders_pool", "wallets_remoteoperation"):
            cursor.execute(f'SELECT 1 FROM "{table}" FOR UPDATE')
    assert watch.wrong == [["orders_pool", "wallets_remoteoperation"]]
    assert reloaded(order).state == "queued"
