"""Events leave by age, into the archive, from locked days alone; they are read as before, and nobody else removes any."""

import io
import threading
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection
from django.db import transaction as db_transaction
from pytest_django.fixtures import Settings

from ledger.controls import clock, drains
from ledger.controls.moves import Why
from ledger.models import ArchivedEvent, Event
from tests.webhooks.edge import OPERATOR, make_endpoint, record_events
from webhooks import endpoints, event_archive, feed, resends, transitions
from webhooks.models import Delivery
from webhooks.streams import reading
from webhooks.streams.subjects import Current, Subject

pytestmark = pytest.mark.usefixtures("database")

DAY = date(2026, 5, 4)
NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)


def lock(connection: psycopg.Connection[Any], day: date = DAY, environment: str = "test") -> None:
    connection.execute(
        "INSERT INTO ledger_period (book_id, business_date, locked_at, locked_by)"
        " SELECT id, %s, now(), 'test' FROM ledger_book WHERE environment = %s",
        [day, environment],
    )


def old_events() -> list[str]:
    """Record three events at noon of the day and pass them on."""
    with clock.use(clock.FixedClock(NOON)):
        references = record_events("ord_1", range(1, 4))
        drains.drain("relay")
    return references


def archived() -> list[str]:
    return list(ArchivedEvent.objects.order_by("id").values_list("reference", flat=True))


def test_events_of_an_open_day_stay_however_old_they_are() -> None:
    old_events()
    assert event_archive.archive(environment="test", older_than=timedelta(0)) == 0
    assert (Event.objects.count(), archived()) == (3, [])


def test_events_of_a_locked_day_are_moved_as_they_are(superuser_connection: psycopg.Connection[Any]) -> None:
    references = old_events()
    before = list(Event.objects.order_by("id").values())
    lock(superuser_connection)
    assert event_archive.archive(environment="test", older_than=timedelta(0)) == 3
    assert (Event.objects.count(), archived()) == (0, references)
    moved = [
        {name: value for name, value in row.items() if name != "archived_at"} for row in ArchivedEvent.objects.values()
    ]
    assert moved == before
    assert event_archive.archive(environment="test", older_than=timedelta(0)) == 0


def test_young_queued_and_undelivered_events_and_those_of_the_other_book_stay(
    superuser_connection: psycopg.Connection[Any],
) -> None:
    with clock.use(clock.FixedClock(NOON)):
        record_events("ord_queued", range(1, 2))
        make_endpoint()
    lock(superuser_connection)
    assert event_archive.archive(environment="test", older_than=timedelta(0)) == 0, "the relay has not passed it on"
    drains.drain("relay")
    assert event_archive.archive(environment="test", older_than=timedelta(0)) == 0, "its delivery is pending"
    superuser_connection.execute("UPDATE webhooks_delivery SET state = 'dead'")
    with clock.use(clock.FixedClock(NOON + timedelta(days=3))):
        assert event_archive.archive(environment="test", older_than=timedelta(days=4)) == 0, "it is young"
        assert event_archive.archive(environment="live", older_than=timedelta(0)) == 0
        assert event_archive.archive(environment="test", older_than=timedelta(days=2)) == 1


def test_archived_events_are_read_as_before_and_sent_no_more(superuser_connection: psycopg.Connection[Any]) -> None:
    with clock.use(clock.FixedClock(NOON)):
        make_endpoint()
    references = old_events()
    superuser_connection.execute("UPDATE webhooks_delivery SET state = 'delivered'")
    before, _ = feed.page(operator_id=OPERATOR, environment="test", after="", limit=10)
    lock(superuser_connection)
    event_archive.archive(environment="test", older_than=timedelta(0))
    page, _ = feed.page(operator_id=OPERATOR, environment="test", after="", limit=10)
    assert page == before
    rest, _ = feed.page(operator_id=OPERATOR, environment="test", after=references[0], limit=10)
    assert [event.reference for event in rest] == references[1:]
    delivery = Delivery.objects.order_by("pk").first()
    assert delivery is not None
    with pytest.raises(transitions.EventArchived), db_transaction.atomic():
        transitions.deliver_again(delivery=delivery, why=Why("test", "resend"), now=clock.now())
    assert Delivery.objects.count() == 3
    rows = superuser_connection.execute("SELECT reference FROM ledger_event_ever ORDER BY id").fetchall()
    assert [row[0] for row in rows] == references


def test_a_stream_is_resumed_through_the_archive_without_a_gap(
    superuser_connection: psycopg.Connection[Any],
) -> None:
    """A reader that comes again late gets what it missed, the end too, though some of it was archived meanwhile."""
    made = old_events()
    with clock.use(clock.FixedClock(NOON + timedelta(days=1))):
        made += record_events("ord_1", range(4, 5), topic="order.processed")
        drains.drain("relay")
    lock(superuser_connection)
    assert event_archive.archive(environment="test", older_than=timedelta(0)) == 3
    assert sequences_after(made[0]) == ([2, 3, 4], True)
    lock(superuser_connection, DAY + timedelta(days=1))
    assert event_archive.archive(environment="test", older_than=timedelta(0)) == 1
    assert sequences_after(made[0]) == ([2, 3, 4], True)
    assert sequences_after(made[3]) == ([], True)


def sequences_after(last_event_id: str) -> tuple[list[int], bool]:
    current = Current(topic="order.processed", payload={}, sequence=4, at=NOON)
    subject = Subject(name="things", find=lambda **_: current, terminal=frozenset({"order.processed"}))
    begun = reading.opening(
        subject, operator_id=OPERATOR, environment="test", reference="ord_1", last_event_id=last_event_id
    )
    return [frame.sequence for frame in begun.frames], begun.is_over


def test_nobody_removes_an_event_otherwise(
    application_connection: psycopg.Connection[Any],
    owner_connection: psycopg.Connection[Any],
    superuser_connection: psycopg.Connection[Any],
) -> None:
    old_events()
    lock(superuser_connection)
    for table in ("ledger_event", "ledger_archivedevent"):
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE", f"UPDATE {table} SET topic = 'x'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                application_connection.execute(statement)
            with pytest.raises(psycopg.errors.RestrictViolation):
                owner_connection.execute(statement)
        event_archive.archive(environment="test", older_than=timedelta(0))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application_connection.execute("INSERT INTO ledger_archivedevent SELECT *, now() FROM ledger_event")
    assert len(archived()) == 3


def test_event_that_the_archive_has_otherwise_is_not_removed(
    owner_connection: psycopg.Connection[Any],
) -> None:
    old_events()
    owner_connection.execute(
        "INSERT INTO ledger_archivedevent SELECT id, reference, environment, operator_id, topic, aggregate, sequence,"
        " '{}'::jsonb, public, request_id, recorded_at, now() FROM ledger_event"
    )
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner_connection.execute("DELETE FROM ledger_event")
    assert Event.objects.count() == 3


def test_it_is_off_until_the_setting_says_otherwise(
    settings: Settings, superuser_connection: psycopg.Connection[Any]
) -> None:
    old_events()
    lock(superuser_connection)
    with clock.use(clock.FixedClock(NOON + timedelta(days=40))):
        drains.drain("event_archive")
        assert archived() == []
        settings.EVENT_ARCHIVE_DAYS = 39
        assert drains.drain("event_archive") == 3
    assert len(archived()) == 3


def test_command_moves_all_and_says_how_many(superuser_connection: psycopg.Connection[Any]) -> None:
    old_events()
    lock(superuser_connection)
    out = io.StringIO()
    call_command("archive_events", days=1, stdout=out)
    assert out.getvalue().strip() == "3"


@pytest.mark.parametrize("how", ["redelivered", "resent"])
def test_an_event_that_is_being_sent_again_is_not_archived_meanwhile(
    how: str, superuser_connection: psycopg.Connection[Any]
) -> None:
    """Else the delivery waits for ever, and all of its order behind it."""
    with clock.use(clock.FixedClock(NOON)):
        endpoint = make_endpoint()
    old_events()
    superuser_connection.execute("UPDATE webhooks_delivery SET state = 'dead'")
    lock(superuser_connection)
    mine: dict[str, Any] = {
        "operator_id": OPERATOR,
        "environment": "test",
        "reference": endpoint.reference,
        "actor": "user:ada",
    }
    moved: list[int] = []
    archiving = threading.Thread(target=_archive, args=(moved,))
    with db_transaction.atomic():
        if how == "redelivered":
            for delivery in Delivery.objects.order_by("pk"):
                endpoints.redeliver(**mine, delivery_reference=delivery.reference, now=clock.now())
        else:
            resends.resend(**mine, selection=resends.Selection(since=NOON), now=clock.now())
        archiving.start()
        archiving.join(1)
    archiving.join(20)
    assert (moved, archived()) == ([0], [])
    assert Delivery.objects.filter(state="pending").count() == 3


def _archive(moved: list[int]) -> None:
    try:
        moved.append(event_archive.archive(environment="test", older_than=timedelta(0)))
    finally:
        connection.close()
