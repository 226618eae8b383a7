"""The routes of operations, below /v1."""

from django.urls import path

from ledger.controls.rest import paths
from wallets import views

paths.register()

urlpatterns = [
    path("operations/<key:idempotency_key>", views.OperationView.as_view(), name="operation"),
]
