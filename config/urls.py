"""Which address leads where."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularSwaggerView

from config import document, front_door, health

urlpatterns = [
    path("", front_door.page, name="front-door"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("v1", front_door.rest),
    path("v1/", front_door.rest, name="rest"),
    path("v1/schema", document.schema, name="schema"),
    path("v1/docs", SpectacularSwaggerView.as_view(url_name="schema"), name="docs"),
    path("v1/", include("orders.urls")),
    path("v1/", include("wallets.urls")),
    path("v1/", include("webhooks.urls")),
    path("v1/", include("reconciliation.urls")),
    path("v1/", include("ledger.urls")),
    path("console/", admin.site.urls),
]

handler400 = "ledger.controls.rest.fallbacks.bad_request"
handler403 = "ledger.controls.rest.fallbacks.permission_denied"
handler404 = "ledger.controls.rest.fallbacks.page_not_found"
handler500 = "ledger.controls.rest.fallbacks.server_error"
