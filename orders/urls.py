"""The routes of quotes, orders, pools and capabilities, below /v1."""

from django.urls import path

from ledger.controls.rest import paths
from orders import intent_views, payout_views, views, wallet_views
from orders.pay_ins import views as pay_in_views

paths.register()

urlpatterns = [
    path("capabilities", views.CapabilitiesView.as_view(), name="capabilities"),
    path("pools", views.PoolsView.as_view(), name="pools"),
    path("pools/<code:pool_id>", views.PoolView.as_view(), name="pool"),
    path("quotes", views.QuotesView.as_view(), name="quotes"),
    path("quotes/<reference:quote_id>", views.QuoteView.as_view(), name="quote"),
    path("orders", views.OrdersView.as_view(), name="orders"),
    path("orders/<reference:order_id>", views.OrderView.as_view(), name="order"),
    path("orders/<reference:order_id>/events", views.OrderEventsView.as_view(), name="order-events"),
    path("transfers", intent_views.TransfersView.as_view(), name="transfers"),
    path("transfers/bulk", intent_views.TransferListView.as_view(), name="transfer-list"),
    path("transfers/<reference:intent_id>", intent_views.TransferView.as_view(), name="transfer"),
    path("intents", intent_views.IntentsView.as_view(), name="intents"),
    path("intents/<reference:intent_id>", intent_views.IntentView.as_view(), name="intent"),
    path("intents/<reference:intent_id>/events", intent_views.IntentEventsView.as_view(), name="intent-events"),
    path("payouts", payout_views.PayoutsView.as_view(), name="payouts"),
    path("payouts/<reference:intent_id>", payout_views.PayoutView.as_view(), name="payout"),
    path("payouts/<reference:intent_id>/confirm", payout_views.PayoutConfirmView.as_view(), name="payout-confirm"),
    path("payouts/<reference:intent_id>/cancel", payout_views.PayoutCancelView.as_view(), name="payout-cancel"),
    path("wallets/<reference:wallet_id>/history", wallet_views.WalletHistoryView.as_view(), name="wallet-history"),
    path("pay-ins", pay_in_views.PayInsView.as_view(), name="pay-ins"),
    path("pay-ins/<reference:payin_id>", pay_in_views.PayInView.as_view(), name="pay-in"),
]
