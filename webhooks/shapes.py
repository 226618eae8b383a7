"""What the routes of webhooks take, and what their answers look like (for the document)."""

from typing import Any

from rest_framework import serializers

from ledger.controls.rest import pages, shapes
from webhooks.models import Delivery


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


class DeliveryQuery(pages.PageQuery):
    status = shapes.Word(choices=Delivery.State.choices, required=False)


class FeedQuery(shapes.Shape):
    limit = shapes.QueryNumber(min_value=1, max_value=100, required=False, default=50, help_text="how many at most")
    after = shapes.Text(max_length=40, required=False, default="", help_text="the id of the last event you have seen")


class EndpointAnswer(serializers.Serializer[Any]):
    endpoint_id = serializers.CharField()
    url = serializers.CharField()
    topics = serializers.ListField(child=serializers.CharField())
    description = serializers.CharField()
    enabled = serializers.BooleanField()
    disabled_reason = serializers.CharField(allow_null=True)
    disabled_at = serializers.DateTimeField(allow_null=True)
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
