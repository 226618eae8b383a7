"""The routes of operations and wallets, below /v1."""

from django.urls import path

from ledger.controls.rest import paths
from wallets import views, wallet_views

paths.register()

urlpatterns = [
    path("operations/<key:idempotency_key>", views.OperationView.as_view(), name="operation"),
    path("wallets", wallet_views.WalletsView.as_view(), name="wallets"),
    path("wallets/<reference:wallet_id>", wallet_views.WalletView.as_view(), name="wallet"),
    path("wallets/<reference:wallet_id>/balances", wallet_views.WalletBalancesView.as_view(), name="wallet-balances"),
    path("wallets/<reference:wallet_id>/close", wallet_views.WalletCloseView.as_view(), name="wallet-close"),
    path("wallets/<reference:wallet_id>/freeze", wallet_views.WalletFreezeView.as_view(), name="wallet-freeze"),
    path("wallets/<reference:wallet_id>/lift-freeze", wallet_views.WalletLiftView.as_view(), name="wallet-lift"),
]
