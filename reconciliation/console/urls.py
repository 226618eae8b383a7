"""The console's pages that join floors."""

from typing import Any

from django.urls import URLPattern, path

from reconciliation.console import operations, review, trace


def patterns(site: Any) -> list[URLPattern]:
    """Return the pages' addresses, each behind the site's log-in."""
    return [
        path("do/<slug:name>/", site.admin_view(operations.page), name="operation"),
        path("trace/", site.admin_view(trace.search), name="trace-search"),
        path("trace/<slug:reference>/", site.admin_view(trace.page), name="trace"),
        path("trace/<slug:reference>/packet/", site.admin_view(trace.packet), name="support-packet"),
        path("review/<slug:reference>/", site.admin_view(review.page), name="review-case"),
        path("review/<slug:reference>/<slug:action>/", site.admin_view(review.act), name="review-act"),
    ]
