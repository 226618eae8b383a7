"""The console's pages of the book."""

from typing import Any

from django.urls import URLPattern, path

from ledger.console import adjusting, book, reports
from ledger.controls.rest import paths

paths.register()


def patterns(site: Any) -> list[URLPattern]:
    """Return the pages' addresses, each behind the site's log-in."""
    return [
        path(
            "reports/trial-balance/", site.admin_view(reports.page), {"name": "trial-balance"}, "report-trial-balance"
        ),
        path("reports/alm/", site.admin_view(reports.page), {"name": "alm"}, "report-alm"),
        path("reports/balances/", site.admin_view(reports.page), {"name": "balances"}, "report-balances"),
        path(
            "book/accounts/<slug:environment>/<str:asset>/<address:address>/",
            site.admin_view(book.account),
            name="ledger-account",
        ),
        path("book/transactions/<uuid:transaction_id>/", site.admin_view(book.transaction), name="ledger-transaction"),
        path("book/adjustments/", site.admin_view(adjusting.page), name="adjustments"),
        path("book/adjustments/<slug:reference>/", site.admin_view(adjusting.one), name="adjustment"),
        path(
            "book/adjustments/<slug:reference>/<slug:decision>/",
            site.admin_view(adjusting.decide),
            name="adjustment-decide",
        ),
    ]
