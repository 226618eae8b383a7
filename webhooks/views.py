"""REST of webhook endpoints, their deliveries, and the feed of events."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.controls import clock, event_log
from ledger.controls.rest import pages
from ledger.controls.rest.answers import answer
from ledger.controls.rest.idempotency import KeyRule
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import read_body, read_query
from ledger.controls.rest.views import ApiView
from webhooks import answers, endpoints, feed, shapes
from webhooks.models import Endpoint


class EndpointsApi(ApiView):
    """What all routes of endpoints share: whose they are."""

    @property
    def mine(self) -> dict[str, Any]:
        return {"operator_id": self.caller.operator_id, "environment": self.caller.environment}

    def shown(self, row: Endpoint, *, now: datetime) -> dict[str, Any]:
        """Return an endpoint as its routes show it."""
        return answers.endpoints([row], now=now)[0]


class EndpointsView(EndpointsApi):
    scopes = {"GET": Scope.WEBHOOKS, "POST": Scope.WEBHOOKS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"POST": (endpoints.TooManyEndpoints,)}

    @extend_schema(operation_id="list_webhook_endpoints", responses=shapes.EndpointList, tags=["webhooks"])
    def get(self, request: Request) -> HttpResponse:
        """Your webhook endpoints, oldest first; at most 20."""
        rows = list(endpoints.of_operator(**self.mine))
        return answer({"data": answers.endpoints(rows, now=clock.now())})

    @extend_schema(
        operation_id="create_webhook_endpoint",
        request=shapes.EndpointRequest,
        responses={201: shapes.NewEndpointAnswer},
        tags=["webhooks"],
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a webhook endpoint. Its secret is in this answer and in no other."""
        body = read_body(request, shapes.EndpointRequest)

        def work(now: datetime) -> HttpResponse:
            row = endpoints.create(
                **self.mine, url=body["url"], topics=body["topics"], description=body["description"], now=now
            )
            location = {"Location": f"/v1/webhook-endpoints/{row.reference}"}
            return answer({**answers.endpoint(row), "secret": row.secret}, status=201, headers=location)

        return self.once(work)


class EndpointView(EndpointsApi):
    scopes = {"GET": Scope.WEBHOOKS, "PATCH": Scope.WEBHOOKS}
    key_rules = {"PATCH": KeyRule.OPTIONAL}

    @extend_schema(operation_id="get_webhook_endpoint", responses=shapes.EndpointAnswer, tags=["webhooks"])
    def get(self, request: Request, endpoint_id: str) -> HttpResponse:
        """One of your webhook endpoints."""
        return answer(self.shown(endpoints.find(**self.mine, reference=endpoint_id), now=clock.now()))

    @extend_schema(
        operation_id="change_webhook_endpoint",
        request=shapes.EndpointChange,
        responses=shapes.EndpointAnswer,
        tags=["webhooks"],
    )
    def patch(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Change a webhook endpoint. What waits goes to the new URL."""
        body = read_body(request, shapes.EndpointChange)

        def work(now: datetime) -> HttpResponse:
            return answer(self.shown(endpoints.update(**self.mine, reference=endpoint_id, **body), now=now))

        return self.once(work)


class DisableEndpointView(EndpointsApi):
    scopes = {"POST": Scope.WEBHOOKS}
    key_rules = {"POST": KeyRule.REQUIRED}

    @extend_schema(
        operation_id="disable_webhook_endpoint", request=None, responses=shapes.EndpointAnswer, tags=["webhooks"]
    )
    def post(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Send nothing more to an endpoint. What waits for it is given up."""

        def work(now: datetime) -> HttpResponse:
            reason = "disabled by the operator"
            row = endpoints.disable(**self.mine, reference=endpoint_id, reason=reason, now=now)
            return answer(self.shown(row, now=now))

        return self.once(work)


class EnableEndpointView(EndpointsApi):
    scopes = {"POST": Scope.WEBHOOKS}
    key_rules = {"POST": KeyRule.REQUIRED}

    @extend_schema(
        operation_id="enable_webhook_endpoint", request=None, responses=shapes.EndpointAnswer, tags=["webhooks"]
    )
    def post(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Send to an endpoint again, from the next event on. What it missed comes when you ask to resend it."""

        def work(now: datetime) -> HttpResponse:
            row = endpoints.enable(**self.mine, reference=endpoint_id, actor=self.caller.actor, now=now)
            return answer(self.shown(row, now=now))

        return self.once(work)


class TestEndpointView(EndpointsApi):
    scopes = {"POST": Scope.WEBHOOKS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"POST": (endpoints.EndpointDisabled,)}

    @extend_schema(
        operation_id="test_webhook_endpoint", request=None, responses={202: shapes.DeliveryAnswer}, tags=["webhooks"]
    )
    def post(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Send the event `webhook_endpoint.test` to this endpoint alone."""

        def work(now: datetime) -> HttpResponse:
            row = endpoints.send_test(**self.mine, reference=endpoint_id, actor=self.caller.actor, now=now)
            return answer(answers.deliveries([row], endpoint_references={row.endpoint_id: endpoint_id})[0], status=202)

        return self.once(work)


class DeliveriesView(EndpointsApi):
    scopes = {"GET": Scope.WEBHOOKS}
    refusals = {"GET": (pages.MalformedCursor,)}

    @extend_schema(
        operation_id="list_webhook_deliveries",
        parameters=[shapes.DeliveryQuery],
        responses=shapes.DeliveryPage,
        tags=["webhooks"],
    )
    def get(self, request: Request, endpoint_id: str) -> HttpResponse:
        """What was sent, or waits to be sent, to an endpoint, newest first, with every attempt."""
        query = read_query(request, shapes.DeliveryQuery)
        mine = endpoints.deliveries(**self.mine, reference=endpoint_id)
        shown = mine.filter(state=query["status"]) if "status" in query else mine
        if "event_id" in query:  # by its number: an endpoint's deliveries have no index by reference
            event = event_log.id_of(**self.mine, reference=query["event_id"])
            shown = shown.none() if event is None else shown.filter(event_id=event)
        found, cursor = pages.page(mine=mine, shown=shown, query=query)
        references = {row.endpoint_id: endpoint_id for row in found}
        return answer({"data": answers.deliveries(found, endpoint_references=references), "next": cursor})


class RedeliverView(EndpointsApi):
    scopes = {"POST": Scope.WEBHOOKS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"POST": (endpoints.EndpointDisabled,)}

    @extend_schema(
        operation_id="redeliver_webhook", request=None, responses={202: shapes.DeliveryAnswer}, tags=["webhooks"]
    )
    def post(self, request: Request, endpoint_id: str, delivery_id: str) -> HttpResponse:
        """Send an event to an endpoint again: a new delivery with the same webhook-id. One that still waits is tried now."""

        def work(now: datetime) -> HttpResponse:
            row = endpoints.redeliver(
                **self.mine,
                reference=endpoint_id,
                delivery_reference=delivery_id,
                actor=self.caller.actor,
                now=now,
            )
            return answer(answers.deliveries([row], endpoint_references={row.endpoint_id: endpoint_id})[0], status=202)

        return self.once(work)


class EventsView(ApiView):
    scopes = {"GET": Scope.READ}
    refusals = {"GET": (feed.UnknownEvent,)}

    @extend_schema(
        operation_id="list_events", parameters=[shapes.FeedQuery], responses=shapes.EventFeed, tags=["events"]
    )
    def get(self, request: Request) -> HttpResponse:
        """Your events, oldest first, from the one after `after` on: closes any gap that missed deliveries left."""
        query = read_query(request, shapes.FeedQuery)
        found, more = feed.page(
            operator_id=self.caller.operator_id,
            environment=self.caller.environment,
            after=query["after"],
            limit=query["limit"],
        )
        last = found[-1].reference if found else query["after"] or None
        return answer({"data": [answers.event(event) for event in found], "next": last, "more": more})
