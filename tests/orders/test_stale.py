"""The status poller: whatever lost its work row is found by state and age, and driven again; nothing waits unseen."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.test import Client
from django.urls import reverse

from ledger.controls import clock, drains, metrics
from orders import stale
from orders.models import SagaRun, StaleFinding
from orders.operations.drive_stale import drive_stale
from tests.console.conftest import person, signed_in
from tests.local.rows_read import rows_read
from tests.orders import books
from tests.orders.desk import Desk, reloaded
from tests.orders.wallet import declined, lost_after, lost_before, pending, server_error
from wallets import remote_operations
from wallets.gateway_port import RemoteRequest
from wallets.models import RemoteOperation

pytestmark = pytest.mark.usefixtures("database")

__all__ = ["person", "signed_in"]

Superuser = psycopg.Connection[Any]


def _lose_rows(superuser: Superuser) -> None:
    """The planted fault: work rows are gone, as after a restore of half a database."""
    superuser.execute("DELETE FROM orders_sagarun")


def _found() -> list[tuple[str, str, str, int]]:
    return [(one.kind, one.state, one.done, one.times) for one in StaleFinding.objects.order_by("kind", "pk")]


@pytest.mark.parametrize(
    ("script", "passes", "state"),
    [
        pytest.param([None], 0, "queued", id="queued"),
        pytest.param([pending, None], 1, "operator_debit_pending", id="waiting for its debit"),
        pytest.param([lost_after, None], 1, "operator_debit_pending", id="its debit is unknown"),
    ],
)
def test_living_order_without_a_work_row_is_found_and_ends(
    script: list[Any], passes: int, state: str, desk: Desk, superuser_connection: Superuser
) -> None:
    desk.wallet.script = script
    order = desk.order()
    desk.drive(passes=passes, pause=timedelta(seconds=1))
    assert reloaded(order).state == state
    _lose_rows(superuser_connection)
    assert drive_stale() == 0, "too early: a step may be about to leave one"
    desk.later(seconds=31)
    drains.drain("stale")
    assert ("order", state, "its saga has a work row again", 1) in _found()
    assert SagaRun.objects.get().subject == order.reference
    assert drive_stale() == 0
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    assert [kind for kind, _ in desk.wallet.calls].count("ask") == 1


def test_compensation_without_a_work_row_is_found_and_gives_the_debit_back(
    desk: Desk, superuser_connection: Superuser
) -> None:
    desk.wallet.legs = {"debit": [None], "reverse": [pending, None]}
    order = desk.order("100.00", user="magic-halt.alice")
    desk.drive(passes=1, pause=timedelta(seconds=1))
    assert reloaded(order).state == "compensation_pending"
    _lose_rows(superuser_connection)
    desk.later(minutes=1)
    drains.drain("stale")
    desk.drive(passes=2)
    assert reloaded(order).state == "compensated"
    assert [key for kind, key in desk.wallet.calls if kind == "ask"] == [
        f"{order.reference}:debit:v1",
        f"{order.reference}:reverse:v1",
    ]


def test_order_in_review_without_a_work_row_is_looked_up_in_the_background_again(
    desk: Desk, superuser_connection: Superuser
) -> None:
    desk.wallet.script = [lost_after, server_error, server_error, server_error, None]
    order = desk.order()
    desk.drive(passes=8)
    assert reloaded(order).state == "manual_review"
    _lose_rows(superuser_connection)
    desk.later(minutes=30)
    drains.drain("stale")
    desk.drive(passes=1)
    assert RemoteOperation.objects.get().state == "confirmed"
    assert reloaded(order).state == "manual_review"


def test_work_row_that_is_due_next_year_is_no_work_row(desk: Desk, superuser_connection: Superuser) -> None:
    order = desk.order()
    superuser_connection.execute("UPDATE orders_sagarun SET available_at = available_at + interval '1 year'")
    desk.later(minutes=1)
    drains.drain("stale")
    desk.drive(passes=1)
    assert reloaded(order).state == "processed"


def test_order_with_a_work_row_is_left_alone(desk: Desk) -> None:
    desk.wallet.script = [pending]
    desk.order()
    desk.drive(passes=1, pause=timedelta(minutes=20))
    assert drive_stale() == 0
    assert _found() == []


def test_unknown_operation_of_an_ended_order_is_looked_up_ever_less_often(
    desk: Desk, superuser_connection: Superuser
) -> None:
    """The order ended while its reverse stayed unknown (as a restore may leave it): evidence, and no money moves."""
    desk.wallet.legs = {"debit": [declined]}
    order = desk.order()
    desk.drive(passes=2)
    assert reloaded(order).state == "failed"
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE wallets_remoteoperation SET state = 'unknown', unknown_cause = 'timeout'")
    superuser_connection.execute("SET session_replication_role = origin")
    desk.wallet.legs = {"debit": [server_error]}
    before = books.balances()
    calls = len(desk.wallet.calls)
    desk.later(minutes=1)
    for minutes, lookups in ((0, 1), (9, 1), (2, 2), (15, 2), (6, 3)):
        desk.later(minutes=minutes)
        drains.drain("stale")
        assert len(desk.wallet.calls) == calls + lookups, minutes
    desk.wallet.legs = {"debit": [None]}
    desk.later(hours=2)
    drains.drain("stale")
    assert RemoteOperation.objects.get().state == "rejected"
    assert _found()[0][:3] == ("remote operation", "unknown", "looked up: rejected")
    assert books.balances() == before
    assert reloaded(order).state == "failed"


def test_an_operation_that_the_poller_looks_up_is_not_shown_as_driven_by_nobody(
    desk: Desk, superuser_connection: Superuser, signed_in: Callable[[str, str], Client]
) -> None:
    """Until its outcome is known, or its time to be looked up has passed and nobody has: the poller is away."""
    desk.wallet.legs = {"debit": [declined]}
    desk.order()
    desk.drive(passes=2)
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE wallets_remoteoperation SET state = 'unknown', unknown_cause = 'timeout'")
    superuser_connection.execute("SET session_replication_role = origin")
    desk.wallet.legs = {"debit": [server_error]}
    client = signed_in("susi", "support")
    shown = []
    for minutes, polled in ((6, False), (0, True), (9, False), (2, True), (15, False), (8, False), (4, False)):
        desk.later(minutes=minutes)
        if polled:
            drains.drain("stale")
        shown.append(_tile(client))
    assert shown == [1, 0, 0, 0, 0, 0, 1]


def test_reservation_of_an_ended_order_is_found_and_shown_to_people(
    desk: Desk, superuser_connection: Superuser
) -> None:
    desk.wallet.script = [declined]
    desk.order()
    desk.drive(passes=2)
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE orders_trade SET state = 'reserved'")
    superuser_connection.execute("SET session_replication_role = origin")
    desk.later(minutes=6)
    drains.drain("stale")
    assert _found() == [("trade", "reserved", "nothing: its owner has ended, people have to look", 1)]
    (unseen,) = (metric for metric in metrics.registered() if metric.name == "holdfast_waiting_unseen")
    assert list(unseen.collect()) == [({"kind": "trade", "state": "reserved"}, 1)]


def test_expired_hold_of_a_living_order_is_found(desk: Desk, superuser_connection: Superuser) -> None:
    desk.wallet.script = [pending]
    order = desk.order()
    desk.drive(passes=1)
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE ledger_hold SET state = 'expired', ended_by = uuidv7(), ended_at = now()")
    desk.later(minutes=1)
    drains.drain("stale")
    (found,) = StaleFinding.objects.all()
    assert (found.kind, found.subject) == ("hold", f"{order.reference}:hold")
    assert SagaRun.objects.get().available_at <= desk.clock.now()


def test_what_waits_beyond_its_limit_is_counted_and_shown_though_no_poller_runs(
    desk: Desk, superuser_connection: Superuser, signed_in: Callable[[str, str], Client]
) -> None:
    """The figure is read from the tables themselves: a dead poller hides nothing."""
    desk.order()
    _lose_rows(superuser_connection)
    desk.later(minutes=4)
    assert stale.found(now=desk.clock.now(), unseen_for=stale.LIMIT) == []
    client = signed_in("susi", "support")
    assert _tile(client) == 0
    desk.later(minutes=2)
    assert _tile(client) == 1
    (unseen,) = (metric for metric in metrics.registered() if metric.name == "holdfast_waiting_unseen")
    assert list(unseen.collect()) == [({"kind": "order", "state": "queued"}, 1)]
    drains.drain("stale")
    assert _tile(client) == 0
    assert client.get(reverse("admin:orders_stalefinding_changelist")).status_code == 200
    (total,) = (metric for metric in metrics.registered() if metric.name == "holdfast_stale_found_total")
    assert list(total.collect()) == [({"kind": "order"}, 1)]


def _tile(client: Client) -> int:
    tiles = client.get(reverse("admin:index")).context["tiles"]
    (tile,) = (one for one in tiles if one.title == "Waiting, driven by nobody")
    assert tile.alarming is (tile.count > 0)
    return int(tile.count)


def test_two_pollers_at_once_leave_one_row(desk: Desk, superuser_connection: Superuser) -> None:
    order = desk.order()
    _lose_rows(superuser_connection)
    desk.later(minutes=1)
    first = stale.found(now=desk.clock.now())
    drive_stale()
    from orders.operations.drive_stale import _drive

    for one in first:
        _drive(one, now=desk.clock.now())
    assert SagaRun.objects.filter(subject=order.reference).count() == 1
    desk.wallet.script = [lost_before, None]
    desk.drive(passes=1)
    assert [kind for kind, _ in desk.wallet.calls] == ["ask"]


def test_absent_debit_of_a_failed_order_is_looked_up_ever_less_often_for_a_week(desk: Desk) -> None:
    """Absence is proven for now; a wallet that applies it after all must not go unnoticed."""
    from orders.models import Return
    from tests.orders.test_returns import failed_order

    order = failed_order(desk)
    operation = RemoteOperation.objects.get()
    assert operation.state == "absent"
    calls = len(desk.wallet.calls)
    for minutes, lookups in ((0, 1), (9, 1), (2, 2), (15, 2), (6, 3)):
        desk.later(minutes=minutes)
        drains.drain("stale")
        assert len(desk.wallet.calls) == calls + lookups, minutes
    (unseen,) = (metric for metric in metrics.registered() if metric.name == "holdfast_waiting_unseen")
    assert list(unseen.collect()) == [], "an absence that is looked up again is no alert"
    desk.wallet.applied[operation.key] = RemoteRequest(operation.key, "debit", "EUR", 10_000, "100.00", "alice", "")
    desk.later(hours=2)
    drains.drain("stale")
    drains.drain("relay")
    assert Return.objects.get().operation_key == operation.key
    assert reloaded(order).state == "failed"


def test_absent_operation_is_left_alone_after_a_week_and_while_its_order_lives(desk: Desk) -> None:
    from tests.orders.test_returns import failed_order

    failed_order(desk)
    desk.wallet.legs = {"debit": [lost_before, None]}
    living = desk.order(user="bob")
    desk.drive(passes=12)
    assert reloaded(living).state == "manual_review"
    desk.later(days=8)
    calls = len(desk.wallet.calls)
    assert drive_stale() == 0
    assert len(desk.wallet.calls) == calls


def test_what_can_never_be_driven_leaves_room_for_others(
    desk: Desk, superuser_connection: Superuser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of a kind than a turn takes were found before and come to nothing: the next is found all the same."""
    monkeypatch.setattr(stale.found, "__kwdefaults__", {**(stale.found.__kwdefaults__ or {}), "most": 2})
    desk.wallet.script = [declined]
    for number in range(2):
        desk.order("20.00", user=f"user-{number}")
    desk.drive(passes=2)
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE orders_trade SET state = 'reserved'")
    superuser_connection.execute("SET session_replication_role = origin")
    desk.later(minutes=1)
    drains.drain("stale")
    assert len(_found()) == 2
    desk.order("20.00", user="user-2")
    desk.drive(passes=2)
    superuser_connection.execute("SET session_replication_role = replica")
    superuser_connection.execute("UPDATE orders_trade SET state = 'reserved'")
    superuser_connection.execute("SET session_replication_role = origin")
    desk.later(minutes=1)
    drains.drain("stale")
    assert len(_found()) == 3


def test_operations_proven_absent_are_found_without_reading_any_other(
    desk: Desk, superuser_connection: Superuser
) -> None:
    """They are looked for each minute, however many have been confirmed."""
    for _ in range(3):
        desk.order()
    desk.drive()
    assert RemoteOperation.objects.filter(state="confirmed").count() == RemoteOperation.objects.count() >= 3
    now = clock.now()
    with rows_read("wallets_remoteoperation", superuser_connection) as operations:
        absent = remote_operations.left_absent(
            since=now - timedelta(days=7), driven=stale.drivers(now), noted=StaleFinding.objects.values("subject")
        )
        assert list(absent) == []
    assert operations.rows == 0
