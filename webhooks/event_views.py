"""REST of single events and of the published event types."""

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.controls.refusals import NotFound
from ledger.controls.rest.answers import answer
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.views import ApiView
from webhooks import answers, endpoints, event_types, feed, shapes
from webhooks.views import EndpointsApi


class EventTypesView(ApiView):
    scopes = {"GET": None}

    @extend_schema(operation_id="list_event_types", responses=shapes.EventTypeList, tags=["events"])
    def get(self, request: Request) -> HttpResponse:
        """Every topic that webhooks and the feed carry, with the JSON Schema of its messages."""
        return answer({"data": [answers.event_type(one) for one in event_types.every()]})


class EventTypeView(ApiView):
    scopes = {"GET": None}

    @extend_schema(operation_id="get_event_type", responses=shapes.EventTypeAnswer, tags=["events"])
    def get(self, request: Request, topic: str) -> HttpResponse:
        """One topic, with the JSON Schema of its messages."""
        return answer(answers.event_type(event_types.named(topic)))


class EventView(ApiView):
    scopes = {"GET": Scope.READ}

    @extend_schema(operation_id="get_event", responses=shapes.EventAnswer, tags=["events"])
    def get(self, request: Request, event_id: str) -> HttpResponse:
        """One of your events, as it was delivered."""
        found = feed.find(operator_id=self.caller.operator_id, environment=self.caller.environment, reference=event_id)
        if found is None:
            raise NotFound
        return answer(answers.event(found))


class EventDeliveriesView(EndpointsApi):
    scopes = {"GET": Scope.WEBHOOKS}

    @extend_schema(operation_id="list_event_deliveries", responses=shapes.EventDeliveries, tags=["events"])
    def get(self, request: Request, event_id: str) -> HttpResponse:
        """Where one of your events was sent, newest first, with every attempt; at most 100."""
        found = feed.find(**self.mine, reference=event_id)
        if found is None:
            raise NotFound
        rows = endpoints.deliveries_of_event(**self.mine, event_id=found.id)
        references = {row.pk: row.reference for row in endpoints.of_operator(**self.mine)}
        return answer({"data": answers.deliveries(rows, endpoint_references=references)})
