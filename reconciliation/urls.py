"""The routes of traces, support packets and operators' statements, below /v1."""

from django.urls import path

from ledger.controls.rest import paths
from reconciliation import statement_views, views

paths.register()

urlpatterns = [
    path("orders/<reference:order_id>/trace", views.OrderTraceView.as_view(), name="order-trace"),
    path("orders/<reference:order_id>/packet", views.OrderPacketView.as_view(), name="order-packet"),
    path("statements", statement_views.OperatorStatementView.as_view(), name="operator-statement"),
    path("statements/lines.csv", statement_views.OperatorStatementLinesView.as_view(), name="operator-statement-lines"),
]
