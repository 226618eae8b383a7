"""The console's pages that join floors."""

from typing import Any

from django.urls import URLPattern, path

from reconciliation.console import (
    chart_import,
    chart_version,
    endpoint_page,
    event_type,
    event_types,
    intent,
    operations,
    review,
    trace,
)


def patterns(site: Any) -> list[URLPattern]:
    """Return the pages' addresses, each behind the site's log-in."""
    return [
        path("endpoints/<slug:reference>/", site.admin_view(endpoint_page.page), name="endpoint-page"),
        path("do/<slug:name>/", site.admin_view(operations.page), name="operation"),
        path("trace/", site.admin_view(trace.search), name="trace-search"),
        path("trace/<slug:reference>/", site.admin_view(trace.page), name="trace"),
        path("trace/<slug:reference>/packet/", site.admin_view(trace.packet), name="support-packet"),
        path("intents/<slug:reference>/", site.admin_view(intent.page), name="intent-page"),
        path("intents/<slug:reference>/packet/", site.admin_view(intent.packet), name="intent-packet"),
        path("review/<slug:reference>/", site.admin_view(review.page), name="review-case"),
        path("review/<slug:reference>/<slug:action>/", site.admin_view(review.act), name="review-act"),
        path("chart/", site.admin_view(event_types.page), name="event-types"),
        path("chart/drift/", site.admin_view(event_types.drift), name="chart-drift"),
        path("chart/version/<slug:reference>/", site.admin_view(chart_version.page), name="chart-version"),
        path("chart/version/<slug:reference>/<slug:action>/", site.admin_view(chart_version.act), name="chart-act"),
        path("chart/<slug:environment>/import/", site.admin_view(chart_import.page), name="chart-import"),
        path("chart/<slug:environment>/chart.csv", site.admin_view(chart_import.export), name="chart-export"),
        path("chart/<slug:environment>/<slug:name>/", site.admin_view(event_type.page), name="event-type"),
    ]
