"""The routes of webhook endpoints and events, and the inbox, below /v1."""

from django.urls import path

from ledger.controls.rest import paths
from webhooks import event_views, inbox_views, recovery_views, views

paths.register()

_ONE = "webhook-endpoints/<reference:endpoint_id>"

urlpatterns = [
    path("events", views.EventsView.as_view(), name="events"),
    path("events/<reference:event_id>", event_views.EventView.as_view(), name="event"),
    path("events/<reference:event_id>/deliveries", event_views.EventDeliveriesView.as_view(), name="event-deliveries"),
    path("event-types", event_views.EventTypesView.as_view(), name="event-types"),
    path("event-types/<code:topic>", event_views.EventTypeView.as_view(), name="event-type"),
    path("webhook-endpoints", views.EndpointsView.as_view(), name="webhook-endpoints"),
    path(_ONE, views.EndpointView.as_view(), name="webhook-endpoint"),
    path(f"{_ONE}/disable", views.DisableEndpointView.as_view(), name="webhook-endpoint-disable"),
    path(f"{_ONE}/enable", views.EnableEndpointView.as_view(), name="webhook-endpoint-enable"),
    path(f"{_ONE}/rotate", recovery_views.RotateEndpointView.as_view(), name="webhook-endpoint-rotate"),
    path(f"{_ONE}/health", recovery_views.EndpointHealthView.as_view(), name="webhook-endpoint-health"),
    path(f"{_ONE}/resend", recovery_views.ResendView.as_view(), name="webhook-resend"),
    path(f"{_ONE}/test", views.TestEndpointView.as_view(), name="webhook-endpoint-test"),
    path(f"{_ONE}/deliveries", views.DeliveriesView.as_view(), name="webhook-deliveries"),
    path(f"{_ONE}/deliveries/<reference:delivery_id>", recovery_views.DeliveryView.as_view(), name="webhook-delivery"),
    path(
        f"{_ONE}/deliveries/<reference:delivery_id>/redeliver",
        views.RedeliverView.as_view(),
        name="webhook-redeliver",
    ),
    path("inbox/<slug:provider>", inbox_views.receive, name="inbox"),
]
