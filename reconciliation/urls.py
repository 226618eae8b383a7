"""The routes of traces and support packets, below /v1."""

from django.urls import path

from ledger.controls.rest import paths
from reconciliation import views

paths.register()

urlpatterns = [
    path("orders/<reference:order_id>/trace", views.OrderTraceView.as_view(), name="order-trace"),
    path("orders/<reference:order_id>/packet", views.OrderPacketView.as_view(), name="order-packet"),
    path("intents/<reference:intent_id>/trace", views.IntentTraceView.as_view(), name="intent-trace"),
    path("intents/<reference:intent_id>/packet", views.IntentPacketView.as_view(), name="intent-packet"),
]
