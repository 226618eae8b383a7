"""The routes of webhook endpoints and events, and the inbox, below /v1."""

from django.urls import path

from ledger.controls.rest import paths
from webhooks import inbox_views, views

paths.register()

_ONE = "webhook-endpoints/<reference:endpoint_id>"

urlpatterns = [
    path("events", views.EventsView.as_view(), name="events"),
    path("webhook-endpoints", views.EndpointsView.as_view(), name="webhook-endpoints"),
    path(_ONE, views.EndpointView.as_view(), name="webhook-endpoint"),
    path(f"{_ONE}/disable", views.DisableEndpointView.as_view(), name="webhook-endpoint-disable"),
    path(f"{_ONE}/enable", views.EnableEndpointView.as_view(), name="webhook-endpoint-enable"),
    path(f"{_ONE}/test", views.TestEndpointView.as_view(), name="webhook-endpoint-test"),
    path(f"{_ONE}/deliveries", views.DeliveriesView.as_view(), name="webhook-deliveries"),
    path(
        f"{_ONE}/deliveries/<reference:delivery_id>/redeliver",
        views.RedeliverView.as_view(),
        name="webhook-redeliver",
    ),
    path("inbox/<slug:provider>", inbox_views.receive, name="inbox"),
]
