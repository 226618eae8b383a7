"""The console: Django's admin under unfold, behind two factors, with a home page of queues."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from unfold.sites import UnfoldAdminSite

from config.console.login import TwoFactorForm


class ConsoleSite(UnfoldAdminSite):
    site_title = "Holdfast"
    site_header = "Holdfast"
    index_title = "Home"
    login_template = "console/login.html"
    index_template = "console/home.html"

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.login_form = TwoFactorForm

    def has_permission(self, request: HttpRequest) -> bool:
        user: Any = request.user
        return bool(user.is_active and user.is_staff and user.is_verified())

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Return an application's models where one is asked for: no page shows those of all, the sidebar is our own."""
        found: list[Any] = super().get_app_list(request, app_label) if app_label else []
        return found

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from reconciliation.console.home import home

        response: HttpResponse = super().index(request, {**home(request), **(extra_context or {})})
        return response

    def extra_urls(self) -> list[URLPattern]:
        from ledger.console import urls as ledger_urls
        from reconciliation.console import urls

        return [*urls.patterns(self), *ledger_urls.patterns(self)]
