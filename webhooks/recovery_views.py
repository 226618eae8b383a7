"""REST of what keeps an endpoint well: rotation, health, one delivery, resends."""

from datetime import datetime, timedelta

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from ledger.controls.refusals import NotFound
from ledger.controls.rest.answers import answer
from ledger.controls.rest.idempotency import KeyRule
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import read_body
from webhooks import answers, endpoints, health, resends, rotation, shapes
from webhooks.views import EndpointsApi


class RotateEndpointView(EndpointsApi):
    scopes = {"POST": Scope.WEBHOOKS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"POST": (rotation.TooManySecrets,)}

    @extend_schema(
        operation_id="rotate_webhook_secret",
        request=shapes.RotationRequest,
        responses=shapes.NewEndpointAnswer,
        tags=["webhooks"],
    )
    def post(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Give an endpoint a new secret; it is in this answer and in no other.

        Until the overlap is over every message carries a signature of the old secret too: put the new one in place
        meanwhile. With `overlap_seconds` 0 every old secret ends at once, for one that leaked.
        """
        body = read_body(request, shapes.RotationRequest)

        def work(now: datetime) -> HttpResponse:
            overlap = timedelta(seconds=body["overlap_seconds"])
            row = rotation.rotate(**self.mine, reference=endpoint_id, overlap=overlap, now=now)
            return answer({**self.shown(row, now=now), "secret": row.secret})

        return self.once(work)


class EndpointHealthView(EndpointsApi):
    scopes = {"GET": Scope.WEBHOOKS}

    @extend_schema(operation_id="get_webhook_endpoint_health", responses=shapes.HealthAnswer, tags=["webhooks"])
    def get(self, request: Request, endpoint_id: str) -> HttpResponse:
        """How an endpoint does: attempts, successes and how long they took, and what waits."""
        row = endpoints.find(**self.mine, reference=endpoint_id)
        return answer(answers.health(health.of([row])[row.pk]))


class DeliveryView(EndpointsApi):
    scopes = {"GET": Scope.WEBHOOKS}

    @extend_schema(operation_id="get_webhook_delivery", responses=shapes.DeliveryAnswer, tags=["webhooks"])
    def get(self, request: Request, endpoint_id: str, delivery_id: str) -> HttpResponse:
        """One delivery with every attempt: status, timing, and the beginning of what you answered."""
        row = endpoints.deliveries(**self.mine, reference=endpoint_id).filter(reference=delivery_id).first()
        if row is None:
            raise NotFound
        return answer(answers.deliveries([row], endpoint_references={row.endpoint_id: endpoint_id})[0])


class ResendView(EndpointsApi):
    scopes = {"POST": Scope.WEBHOOKS}
    key_rules = {"POST": KeyRule.REQUIRED}
    refusals = {"POST": (endpoints.EndpointDisabled,)}

    @extend_schema(
        operation_id="resend_webhooks",
        request=shapes.ResendRequest,
        responses={202: shapes.ResendAnswer},
        tags=["webhooks"],
    )
    def post(self, request: Request, endpoint_id: str) -> HttpResponse:
        """Send a range of events to an endpoint again: by time, by ids, what it never took or everything.

        The range is of your events, so it also holds what happened while the endpoint was disabled. Each is a new
        delivery with the same webhook-id. What still waits for its attempt is left alone.
        """
        body = read_body(request, shapes.ResendRequest)
        selection = resends.Selection(
            since=body.get("since"),
            until=body.get("until"),
            first=body.get("first_event_id", ""),
            last=body.get("last_event_id", ""),
            undelivered_only=body["which"] == "undelivered",
        )

        def work(now: datetime) -> HttpResponse:
            done = resends.resend(
                **self.mine, reference=endpoint_id, selection=selection, actor=self.caller.actor, now=now
            )
            return answer({"resent": done.number, "next_event_id": done.goes_on_at or None}, status=202)

        return self.once(work)
