"""What the routes of webhooks take, and what their answers look like (for the document)."""

from datetime import UTC, datetime
from typing import Any, Final

from rest_framework import serializers

from ledger.controls.rest import pages, shapes
from webhooks import rotation
from webhooks.models import Delivery

_YEARS: Final = (2000, 2999)


def _topics(**options: Any) -> serializers.ListField:
    return serializers.ListField(
        child=shapes.Text(max_length=60), required=False, max_length=20, help_text="order.processed, order.*", **options
    )


class EndpointRequest(shapes.Shape):
    url = shapes.Text(max_length=500, help_text="https; in the test environment http too")
    topics = _topics(default=list)
    description = shapes.Text(max_length=200, required=False, default="", allow_blank=True)


class EndpointChange(shapes.Shape):
    url = shapes.Text(max_length=500, required=False)
    topics = _topics()
    description = shapes.Text(max_length=200, required=False, allow_blank=True)


class Seconds(serializers.IntegerField):
    """A whole number of seconds, as a JSON number."""

    default_error_messages = {"invalid": "A whole number of seconds is needed."}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": 604_800, "required": False, **options})

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return data


class Instant(serializers.DateTimeField):
    """An instant as REST carries it: RFC 3339 with an offset."""

    default_error_messages = {"no_instant": "An instant with its offset is needed: 2026-01-31T12:00:00Z."}

    def to_internal_value(self, value: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(value)
        except (ValueError, TypeError):
            self.fail("no_instant")
        if moment.tzinfo is None or not _YEARS[0] <= moment.year <= _YEARS[1]:
            self.fail("no_instant")
        return moment.astimezone(UTC)  # the database knows no offset of 16 hours


class RotationRequest(shapes.Shape):
    overlap_seconds = Seconds(
        default=int(rotation.OVERLAP.total_seconds()),
        help_text="how long the present secret signs beside the new one, at most 604800; 0 ends every old secret now",
    )


class ResendRequest(shapes.Shape):
    since = Instant(required=False, help_text="events recorded from then on; test events too, with no ids")
    until = Instant(required=False, help_text="events recorded before then")
    first_event_id = shapes.Text(max_length=40, required=False, help_text="from this event on, in the feed's order")
    last_event_id = shapes.Text(max_length=40, required=False, help_text="up to this event, included")
    which = shapes.Word(
        choices=[("undelivered", "undelivered"), ("all", "all")],
        required=False,
        default="undelivered",
        help_text="what the endpoint never took, or everything again",
    )


class DeliveryQuery(pages.PageQuery):
    status = shapes.Word(choices=Delivery.State.choices, required=False)
    event_id = shapes.Text(max_length=40, required=False, help_text="the deliveries of one event")


class FeedQuery(shapes.Shape):
    limit = shapes.QueryNumber(min_value=1, max_value=100, required=False, default=50, help_text="how many at most")
    after = shapes.Text(max_length=40, required=False, default="", help_text="the id of the last event you have seen")


class EndpointAnswer(serializers.Serializer[Any]):
    endpoint_id = serializers.CharField()
    kind = serializers.CharField(help_text="http, or sns where we set it up for you")
    url = serializers.CharField()
    topics = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    disabled_reason = serializers.CharField(allow_null=True)
    disabled_at = serializers.DateTimeField(allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True, help_text="the first failure after the last success")
    old_secrets_end_at = serializers.ListField(
        child=serializers.DateTimeField(), help_text="until when rotated secrets still sign, the last first"
    )
    created_at = serializers.DateTimeField()


class NewEndpointAnswer(EndpointAnswer):
    secret = serializers.CharField(help_text="whsec_…; in this answer and in no other")


class EndpointList(serializers.Serializer[Any]):
    data = EndpointAnswer(many=True)  # type: ignore[assignment]  # the name is the answer's, not DRF's


class AttemptAnswer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField()
    http_status = serializers.IntegerField(allow_null=True)
    failure = serializers.CharField(allow_null=True)
    excerpt = serializers.CharField(allow_null=True, help_text="the beginning of what you answered")


class DeliveryAnswer(serializers.Serializer[Any]):
    delivery_id = serializers.CharField()
    endpoint_id = serializers.CharField()
    event_id = serializers.CharField(help_text="the webhook-id")
    type = serializers.CharField()
    status = serializers.CharField()
    attempts = AttemptAnswer(many=True)
    next_attempt_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class DeliveryPage(serializers.Serializer[Any]):
    data = DeliveryAnswer(many=True)  # type: ignore[assignment]  # as above
    next = serializers.CharField(allow_null=True)


class EventAnswer(serializers.Serializer[Any]):
    type = serializers.CharField()
    timestamp = serializers.DateTimeField()
    id = serializers.CharField()
    environment = serializers.CharField()
    data = serializers.DictField()  # type: ignore[assignment]  # as above


class EventFeed(serializers.Serializer[Any]):
    data = EventAnswer(many=True)  # type: ignore[assignment]  # as above
    next = serializers.CharField(allow_null=True, help_text="`after` of your next question, also when nothing came")
    more = serializers.BooleanField(help_text="ask again at once")


class HealthAnswer(serializers.Serializer[Any]):
    attempts = serializers.IntegerField(help_text="of the newest 200 deliveries")
    succeeded = serializers.IntegerField()
    last_success_at = serializers.DateTimeField(allow_null=True)
    median_ms = serializers.IntegerField(allow_null=True)
    slow_ms = serializers.IntegerField(allow_null=True, help_text="nineteen of twenty attempts took no longer")
    waiting = serializers.IntegerField()
    oldest_waiting_at = serializers.DateTimeField(allow_null=True)
    given_up = serializers.IntegerField(help_text="of the newest 200 deliveries")


class ResendAnswer(serializers.Serializer[Any]):
    resent = serializers.IntegerField(help_text="new deliveries; at most 1000 a call")
    next_event_id = serializers.CharField(
        allow_null=True, help_text="`first_event_id` of your next call, when events were left"
    )


class EventTypeAnswer(serializers.Serializer[Any]):
    type = serializers.CharField()
    family = serializers.CharField()
    version = serializers.IntegerField(help_text="of the schema; within one it only grows")
    description = serializers.CharField()
    schema = serializers.DictField(help_text="JSON Schema (2020-12) of the messages")


class EventTypeList(serializers.Serializer[Any]):
    data = EventTypeAnswer(many=True)  # type: ignore[assignment]  # as above


class EventDeliveries(serializers.Serializer[Any]):
    data = DeliveryAnswer(many=True)  # type: ignore[assignment]  # as above
