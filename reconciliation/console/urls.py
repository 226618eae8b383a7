"""The console's pages that join floors."""

from typing import Any

from django.urls import URLPattern, path

from reconciliation.console import (
    chart_import,
    chart_version,
    close_calendar,
    close_files,
    close_page,
    endpoint_page,
    event_type,
    event_types,
    exception_page,
    exceptions_bulk,
    freezing,
    operations,
    operator_statement,
    review,
    sandbox_wallet,
    statement_file,
    statement_import,
    statement_line,
    statement_source,
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
        path("sandbox/", site.admin_view(sandbox_wallet.page), name="sandbox-wallet"),
        path("order/<slug:reference>/<slug:action>/", site.admin_view(freezing.act), name="order-freeze"),
        path("review/<slug:reference>/", site.admin_view(review.page), name="review-case"),
        path("review/<slug:reference>/<slug:action>/", site.admin_view(review.act), name="review-act"),
        path("closes/", site.admin_view(close_calendar.page), name="close-calendar"),
        path("closes/run/", site.admin_view(close_calendar.run), name="close-run"),
        path("closes/<slug:reference>/", site.admin_view(close_page.page), name="close-page"),
        path("closes/<slug:reference>/progress/", site.admin_view(close_page.progress), name="close-progress"),
        path("closes/<slug:reference>/files.zip", site.admin_view(close_files.package), name="close-package"),
        path("closes/<slug:reference>/files/<str:name>", site.admin_view(close_files.one), name="close-file"),
        path("closes/<slug:reference>/<slug:action>/", site.admin_view(close_page.act), name="close-act"),
        path("exceptions-in-bulk/", site.admin_view(exceptions_bulk.page), name="exceptions-bulk"),
        path("exceptions/<slug:reference>/", site.admin_view(exception_page.page), name="exception-page"),
        path("exceptions/<slug:reference>/<slug:action>/", site.admin_view(exception_page.act), name="exception-act"),
        path("chart/", site.admin_view(event_types.page), name="event-types"),
        path("chart/drift/", site.admin_view(event_types.drift), name="chart-drift"),
        path("chart/version/<slug:reference>/", site.admin_view(chart_version.page), name="chart-version"),
        path("chart/version/<slug:reference>/<slug:action>/", site.admin_view(chart_version.act), name="chart-act"),
        path("chart/<slug:environment>/import/", site.admin_view(chart_import.page), name="chart-import"),
        path("chart/<slug:environment>/chart.csv", site.admin_view(chart_import.export), name="chart-export"),
        path("chart/<slug:environment>/<slug:name>/", site.admin_view(event_type.page), name="event-type"),
        path("statements/", site.admin_view(statement_import.page), name="statement-import"),
        path("statements/sources/new/", site.admin_view(statement_source.page), name="statement-source-new"),
        path(
            "statements/sources/<slug:environment>/<slug:code>/",
            site.admin_view(statement_source.page),
            name="statement-source",
        ),
        path("statements/files/<slug:reference>/", site.admin_view(statement_file.page), name="statement-file"),
        path(
            "statements/files/<slug:reference>/<slug:action>/",
            site.admin_view(statement_file.act),
            name="statement-file-act",
        ),
        path("statements/lines/<slug:reference>/", site.admin_view(statement_line.page), name="statement-line"),
        path(
            "statements/lines/<slug:reference>/<slug:action>/",
            site.admin_view(statement_line.act),
            name="statement-line-act",
        ),
        path("operator-statements/", site.admin_view(operator_statement.page), name="operator-statements"),
        path(
            "operator-statements/<slug:environment>/<slug:slug>/<str:day>/",
            site.admin_view(operator_statement.one),
            name="operator-statement",
        ),
        path(
            "operator-statements/<slug:environment>/<slug:slug>/<str:day>/<slug:action>/",
            site.admin_view(operator_statement.act),
            name="operator-statement-act",
        ),
    ]
