"""Each public topic has a published schema, and each payload of each topic is as its schema says."""

from collections.abc import Iterator
from datetime import date
from typing import Any, cast

import pytest
from django.db import transaction as db_transaction
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from ledger.controls import clock, machines
from ledger.controls.event_log import RecordedEvent
from ledger.controls.events import Announcement
from ledger.controls.refusals import Malformed, NotFound
from ledger.controls.states import Stateful
from orders.models import Quote
from tests.orders.conftest import desk, fixed_clock, wallet  # noqa: F401
from tests.orders.desk import Desk, reloaded, trade_of
from tests.webhooks.edge import make_endpoint, mine
from tests.webhooks.published import topics_recorded, validator
from webhooks import answers, endpoints, event_types

pytestmark = pytest.mark.usefixtures("database")


def announced(row: Stateful, state: str) -> Announcement | None:
    """Return what a row would say in another state."""
    before = row.__dict__["state"]
    row.__dict__["state"] = state  # past the FSM: nothing is written
    try:
        return row.announcement()
    finally:
        row.__dict__["state"] = before


def as_recorded(announcement: Announcement, reference: str) -> RecordedEvent:
    return RecordedEvent(
        id=1,
        reference=f"evt_{reference.partition('_')[2]}",
        environment="test",
        operator_id=1,
        topic=announcement.topic,
        aggregate=reference,
        sequence=1,
        payload=announcement.payload,
        recorded_at=clock.now(),
    )


def public_announcements() -> Iterator[Announcement]:
    """Yield what every machine announces in every state to the outside, of every kind of row that says something else."""
    for machine in machines.every():
        for row in kinds_of_rows(machine.model):
            for state in machine.states():
                found = announced(row, state)
                if found is not None and found.public:
                    yield found


def kinds_of_rows(model: type[Any]) -> Iterator[Stateful]:
    """Yield unsaved rows that can speak: about an order and about an intent, and of each kind of theirs."""
    fields = {field.name: field for field in model._meta.concrete_fields}
    kinds = [value for value, _ in (fields["kind"].choices or ())] if "kind" in fields else []
    for kind in kinds or [""]:
        for intent in ("", "int_1") if "intent_reference" in fields else ("",):
            row = model()
            for name, field in fields.items():
                if name.endswith("_minor"):
                    setattr(row, name, 100)
                elif "asset" in name:
                    setattr(row, name, "EUR")
                elif field.get_internal_type() == "DateField":
                    setattr(row, name, date(2026, 5, 4))
            if kinds:
                row.kind = kind
            if "intent_reference" in fields:
                row.intent_reference = intent
            yield cast(Stateful, row)


def test_every_public_topic_of_every_machine_is_published_and_no_other() -> None:
    topics = {one.topic for one in public_announcements()}
    assert topics | {"webhook_endpoint.test"} == {one.topic for one in event_types.every()}


def test_every_announcement_has_the_members_that_its_schema_names_and_no_other() -> None:
    """Of all topics, also those that few tests record; the values are held against it where they are recorded."""
    for one in public_announcements():
        data = event_types.named(one.topic).shape["properties"]["data"]
        assert set(data["required"]) <= set(one.payload) <= set(data["properties"]), one.topic


def test_what_is_published_is_what_is_announced(desk: Desk) -> None:  # noqa: F811
    """A new public topic needs its line in the floor's schemas/ folder, and a line there needs its topic."""
    order = desk.order()
    quote = Quote.objects.get(reference=order.quote_reference)
    topics = {"webhook_endpoint.test"}
    for row in (order, quote, trade_of(order)):
        for state in machines.named(row.MACHINE).states():
            announcement = announced(row, state)
            assert announcement is not None
            validator(announcement.topic).validate(answers.event(as_recorded(announcement, row.reference)))
            topics.add(announcement.topic)
    assert topics <= {one.topic for one in event_types.every()}
    assert {one.topic for one in event_types.every() if one.family in ("order", "trade", "quote")} == topics - {
        "webhook_endpoint.test"
    }


def test_what_flows_and_a_test_event_record_is_as_published(desk: Desk) -> None:  # noqa: F811
    with db_transaction.atomic():
        endpoints.send_test(**mine(make_endpoint()), actor="user:ada", now=clock.now())
    order = desk.order()
    desk.drive(passes=2)
    assert reloaded(order).state == "processed"
    assert set(topics_recorded()) == {
        "webhook_endpoint.test",
        "quote.active",
        "quote.accepted",
        "order.queued",
        "order.processing",
        "order.operator_debit_pending",
        "order.operator_debited",
        "order.processed",
        "trade.reserved",
        "trade.settled",
    }


@pytest.mark.parametrize(
    "change",
    [
        {"status": "failed"},
        {"order_id": "42"},
        {"source_amount": 100},
        {"source_amount": "-1.00"},
        {"sequence": 0},
        {"terminal": "true"},
        {"venue": "a name that is none of theirs"},
    ],
)
def test_a_payload_off_its_schema_is_noticed(desk: Desk, change: dict[str, Any]) -> None:  # noqa: F811
    order = desk.order()
    announcement = announced(order, "processed")
    assert announcement is not None
    message = answers.event(as_recorded(announcement, order.reference))
    validator("order.processed").validate(message)
    message["data"] = {**message["data"], **change}
    with pytest.raises(ValidationError):
        validator("order.processed").validate(message)


def test_every_schema_is_one_and_leaves_room_to_grow() -> None:
    for one in event_types.every():
        Draft202012Validator.check_schema(dict(one.shape))
        assert one.shape["$id"].endswith(f"{one.topic}/v{one.version}")
        assert one.description
        assert "additionalProperties" not in str(one.shape), "a receiver that is strict would break when a topic grows"


def test_an_endpoint_asks_for_published_topics_alone() -> None:
    for topics in (["order.processed"], ["order.*", "trade.settled"], []):
        make_endpoint(topics=topics)
    for topic in ("order.nothing", "review_case.*", "*", "order", ".*", "close.locked"):
        with pytest.raises(Malformed):
            make_endpoint(topics=[topic])
    with pytest.raises(NotFound):
        event_types.named("order.nothing")
