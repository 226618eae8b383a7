"""The routes of the book, below /v1: the house's own."""

from django.urls import path

from ledger.controls.rest import paths
from ledger.rest import accounts, report_files, reports, transactions

paths.register()

urlpatterns = [
    path("accounts", accounts.AccountsView.as_view(), name="accounts"),
    path("accounts/<address:address>/balances", accounts.BalancesView.as_view(), name="account-balances"),
    path("accounts/<address:address>/statement", accounts.StatementView.as_view(), name="account-statement"),
    path("transactions", transactions.TransactionsView.as_view(), name="transactions"),
    path("transactions/bulk", transactions.BulkView.as_view(), name="transactions-bulk"),
    path("transactions/<uuid:transaction_id>", transactions.TransactionView.as_view(), name="transaction"),
    path("reports/balances", reports.BalancesReportView.as_view(), name="report-balances"),
    path("reports/trial-balance", reports.TrialBalanceView.as_view(), name="report-trial-balance"),
    path("reports/alm", reports.AlmView.as_view(), name="report-alm"),
    path("reports/statements/<address:address>", reports.StatementReportView.as_view(), name="report-statement"),
    path("reports/balances.csv", report_files.BalancesFileView.as_view(), name="report-balances-csv"),
    path("reports/trial-balance.csv", report_files.TrialBalanceFileView.as_view(), name="report-trial-balance-csv"),
    path("reports/alm.csv", report_files.AlmFileView.as_view(), name="report-alm-csv"),
    path(
        "reports/statements/<address:address>/csv",
        report_files.StatementFileView.as_view(),
        name="report-statement-csv",
    ),
    path("holds", transactions.HoldsView.as_view(), name="holds"),
]
