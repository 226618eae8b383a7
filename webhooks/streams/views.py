"""The same streams from the web's own processes: what there is now, then the end, and the reader comes again.

It waits for nothing, so that it holds up no worker: an EventSource that is led here asks every two seconds. The process
of streams holds the connection open instead; a balancer leads these paths to it.
"""

from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.views import ApiView
from webhooks.streams import frames, reading, subjects
from webhooks.streams.application import RETRY_MILLISECONDS, NoRoomForStreams, TooManyStreams


class StreamedEvent(serializers.Serializer[Any]):
    """One event of a stream, as an EventSource hands it over."""

    id = serializers.CharField(required=False, help_text="the event's; send it as Last-Event-ID to go on from there")
    event = serializers.CharField(help_text="the topic")
    data = serializers.CharField(help_text="the message, the same JSON as a webhook's body")  # type: ignore[assignment]


LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID",
    str,
    OpenApiParameter.HEADER,
    description="The id of the last event you have; what came after it follows. Without it the present state is first.",
)
STREAM = {
    (200, "text/event-stream"): OpenApiResponse(
        StreamedEvent,
        description="Server-sent events: `id` is the event's, `event` its topic, `data` the message as a webhook "
        "carries it. The stream ends with a terminal state.",
    ),
    204: OpenApiResponse(description="You have seen the end: nothing more will come."),
}


class EventStreamRenderer(BaseRenderer):
    """Says to DRF that text/event-stream can be had; the answer is made without it."""

    media_type = "text/event-stream"
    format = "events"

    def render(self, data: Any, accepted_media_type: Any = None, renderer_context: Any = None) -> bytes:
        raise TypeError("a stream is no rendered answer")


class EventStreamView(ApiView):
    """A subclass names its subject and documents its `get`."""

    scopes = {"GET": Scope.READ}
    refusals = {"GET": (reading.UnknownLastEvent, TooManyStreams, NoRoomForStreams)}
    renderer_classes = [EventStreamRenderer]
    subject_name: ClassVar[str]

    def answered(self, request: Request, reference: str) -> HttpResponse:
        """Return what there is now."""
        subject = subjects.named(self.subject_name)
        assert subject is not None
        begun = reading.opening(
            subject,
            operator_id=self.caller.operator_id,
            environment=self.caller.environment,
            reference=reference,
            last_event_id=request.headers.get("Last-Event-ID", ""),
        )
        if begun.is_over and not begun.frames:
            return HttpResponse(status=204)
        body = frames.retry(RETRY_MILLISECONDS) + b"".join(frame.octets for frame in begun.frames)
        return HttpResponse(body, content_type=frames.CONTENT_TYPE, headers={"Cache-Control": "no-store"})
