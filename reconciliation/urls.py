"""The routes of timelines, traces, support packets, review cases, closes, exceptions and operators' statements, below /v1."""

from django.urls import path

from ledger.controls.rest import paths
from reconciliation import close_views, review_views, statement_views, views

paths.register()

urlpatterns = [
    path("orders/<reference:order_id>/timeline", views.OrderTimelineView.as_view(), name="order-timeline"),
    path("orders/<reference:order_id>/trace", views.OrderTraceView.as_view(), name="order-trace"),
    path("orders/<reference:order_id>/packet", views.OrderPacketView.as_view(), name="order-packet"),
    path("intents/<reference:intent_id>/trace", views.IntentTraceView.as_view(), name="intent-trace"),
    path("intents/<reference:intent_id>/packet", views.IntentPacketView.as_view(), name="intent-packet"),
    path("review-cases", review_views.ReviewCasesView.as_view(), name="review-cases"),
    path("review-cases/<reference:review_case_id>", review_views.ReviewCaseView.as_view(), name="review-case"),
    path("statements", statement_views.OperatorStatementView.as_view(), name="operator-statement"),
    path("statements/printable", statement_views.OperatorStatementPageView.as_view(), name="operator-statement-page"),
    path("statements/lines.csv", statement_views.OperatorStatementLinesView.as_view(), name="operator-statement-lines"),
    path("closes", close_views.ClosesView.as_view(), name="closes"),
    path("closes/<date:business_date>", close_views.CloseView.as_view(), name="close"),
    path("closes/<date:business_date>/artifacts", close_views.CloseArtifactsView.as_view(), name="close-artifacts"),
    path(
        "closes/<date:business_date>/artifacts/<code:name>",
        close_views.CloseArtifactView.as_view(),
        name="close-artifact",
    ),
    path("exceptions", close_views.ExceptionsView.as_view(), name="exceptions"),
    path("exceptions/<reference:exception_id>", close_views.ExceptionView.as_view(), name="exception"),
]
