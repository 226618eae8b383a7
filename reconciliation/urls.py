"""The routes of traces, support packets and review cases, below /v1."""

from django.urls import path

from ledger.controls.rest import paths
from reconciliation import review_views, views

paths.register()

urlpatterns = [
    path("orders/<reference:order_id>/trace", views.OrderTraceView.as_view(), name="order-trace"),
    path("orders/<reference:order_id>/packet", views.OrderPacketView.as_view(), name="order-packet"),
    path("review-cases", review_views.ReviewCasesView.as_view(), name="review-cases"),
    path("review-cases/<reference:review_case_id>", review_views.ReviewCaseView.as_view(), name="review-case"),
]
