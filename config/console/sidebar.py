"""The sidebar: sections by what they are about; a person sees those of their role."""

from typing import Any
from urllib.parse import parse_qsl

from django.http import HttpRequest
from django.urls import reverse

from ledger.controls.roles import Section, may, sees
from reconciliation.console.operations import OPERATIONS

_PAGES: tuple[tuple[str, Section, tuple[tuple[str, str, str, str], ...]], ...] = (
    (
        "Queues",
        Section.QUEUES,
        (
            ("Manual review", "gavel", "admin:orders_reviewcase_changelist", ""),
            ("Compensation", "undo", "admin:orders_order_changelist", "?state__exact=compensation_pending"),
            ("Sagas at work", "sync", "admin:orders_sagarun_changelist", ""),
            (
                "Scheduled transfers",
                "schedule",
                "admin:orders_intent_changelist",
                "?state__exact=created&kind__exact=transfer",
            ),
            ("Payouts in flight", "send_money", "admin:orders_payout_changelist", "?in_flight=yes"),
            ("Payouts, dead letters", "mark_email_unread", "admin:orders_payout_changelist", "?in_flight=dead"),
            ("Found waiting", "hourglass_disabled", "admin:orders_stalefinding_changelist", ""),
            ("Notices", "notifications", "admin:reconciliation_notice_changelist", ""),
        ),
    ),
    (
        "Orders",
        Section.ORDERS,
        (
            ("Trace", "travel_explore", "admin:trace-search", ""),
            ("Orders", "receipt_long", "admin:orders_order_changelist", ""),
            ("Transfers and payouts", "payments", "admin:orders_intent_changelist", ""),
            ("Quotes", "request_quote", "admin:orders_quote_changelist", ""),
            ("Trades", "swap_horiz", "admin:orders_trade_changelist", ""),
            ("Returns", "assignment_return", "admin:orders_return_changelist", ""),
            ("Pay-ins", "download", "admin:orders_payin_changelist", ""),
            ("Remote operations", "account_balance_wallet", "admin:wallets_remoteoperation_changelist", ""),
            ("Pools", "water", "admin:orders_pool_changelist", ""),
            ("Markets", "casino", "admin:orders_market_changelist", ""),
            ("Freezes", "ac_unit", "admin:orders_freeze_changelist", ""),
            ("API requests", "http", "admin:wallets_apirequest_changelist", ""),
        ),
    ),
    (
        "Ledger",
        Section.LEDGER,
        (
            ("Accounts", "account_tree", "admin:ledger_account_changelist", ""),
            ("Transactions", "list_alt", "admin:ledger_transaction_changelist", ""),
            ("Postings", "sync_alt", "admin:ledger_posting_changelist", ""),
            ("Holds", "lock_clock", "admin:ledger_hold_changelist", ""),
            ("Periods", "event_busy", "admin:ledger_periodchange_changelist", ""),
            ("Chart and event types", "schema", "admin:event-types", ""),
            ("Trial balance", "balance", "admin:report-trial-balance", ""),
            ("Assets and liabilities", "stacked_bar_chart", "admin:report-alm", ""),
            ("Balances", "account_balance", "admin:report-balances", ""),
            ("Adjustments", "edit_note", "admin:adjustments", ""),
        ),
    ),
    (
        "Close",
        Section.CLOSE,
        (
            ("Exceptions", "report", "admin:reconciliation_exceptioncase_changelist", ""),
            ("Close calendar", "calendar_month", "admin:close-calendar", ""),
            ("Closes", "event_available", "admin:reconciliation_closerun_changelist", ""),
            ("Artifacts", "folder_zip", "admin:reconciliation_closeartifact_changelist", ""),
            ("Exceptions in bulk", "table_edit", "admin:exceptions-bulk", ""),
            ("Statements", "upload_file", "admin:statement-import", ""),
            ("Statement lines", "format_list_bulleted", "admin:reconciliation_statementline_changelist", ""),
            ("Operators' statements", "request_page", "admin:operator-statements", ""),
        ),
    ),
    (
        "Webhooks",
        Section.WEBHOOKS,
        (
            ("Endpoints", "webhook", "admin:webhooks_endpoint_changelist", ""),
            ("Deliveries", "outgoing_mail", "admin:webhooks_delivery_changelist", ""),
            ("Events", "campaign", "admin:ledger_event_changelist", ""),
            ("Outbox", "outbox", "admin:ledger_queuedevent_changelist", ""),
            ("Inbound events", "inbox", "admin:webhooks_inboundevent_changelist", ""),
            ("Providers", "input", "admin:webhooks_provider_changelist", ""),
            ("Refused at the inbox", "block", "admin:webhooks_inboxcount_changelist", ""),
        ),
    ),
    (
        "Operators",
        Section.OPERATORS,
        (
            ("Operators", "business", "admin:wallets_operator_changelist", ""),
            ("API keys", "key", "admin:wallets_operatorkey_changelist", ""),
            ("Gateways", "hub", "admin:wallets_gateway_changelist", ""),
            ("Venues", "storefront", "admin:orders_venue_changelist", ""),
            ("Pauses", "pause_circle", "admin:wallets_gatewaypause_changelist", ""),
            ("Sandbox wallet", "science", "admin:sandbox-wallet", ""),
            ("Circuit breakers", "electrical_services", "admin:wallets_breaker_changelist", ""),
            ("Rates", "currency_exchange", "admin:wallets_fxrate_changelist", ""),
        ),
    ),
    (
        "Wallets",
        Section.ORDERS,
        (
            ("Wallets", "wallet", "admin:wallets_wallet_changelist", ""),
            ("Frozen wallets", "severe_cold", "admin:wallets_walletfreeze_changelist", "?lifted_at__isnull=True"),
            (
                "Closed with money",
                "no_accounts",
                "admin:wallets_wallet_changelist",
                "?moved_after_close_at__isnull=False",
            ),
        ),
    ),
    (
        "Rules",
        Section.RULES,
        (
            ("Fees and limits", "percent", "admin:rules", ""),
            ("Limits used", "speed", "admin:wallets_limitusage_changelist", ""),
        ),
    ),
    (
        "Audit",
        Section.AUDIT,
        (
            ("Moves", "timeline", "admin:ledger_move_changelist", ""),
            ("Approvals", "how_to_reg", "admin:ledger_approval_changelist", ""),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the sections that this person sees, Home first."""
    home = {"title": "Home", "icon": "home", "link": reverse("admin:index")}
    sections: list[dict[str, Any]] = [{"title": "", "separator": False, "items": [home]}]
    for title, section, pages in _PAGES:
        if sees(request.user, section):
            items = [
                {
                    "title": name,
                    "icon": icon,
                    "link": reverse(url) + query,
                    "active": _is_open(request, reverse(url), query),
                }
                for name, icon, url, query in pages
            ]
            sections.append({"title": title, "separator": True, "collapsible": False, "items": items})
    doing = [
        {"title": operation.title, "icon": "edit_square", "link": reverse("admin:operation", args=[name])}
        for name, operation in OPERATIONS.items()
        if may(request.user, operation.ability)
    ]
    if doing:
        sections.append({"title": "Operations", "separator": True, "collapsible": False, "items": doing})
    return sections


def _is_open(request: HttpRequest, path: str, query: str) -> bool:
    """A page below an entry's lights it; an entry that narrows a list is lit by that list so narrowed alone."""
    asked = request.GET.dict()
    wanted = dict(parse_qsl(query.removeprefix("?")))
    if wanted:
        return request.path == path and wanted.items() <= asked.items()
    narrowed = (
        dict(parse_qsl(other.removeprefix("?")))
        for _, _, pages in _PAGES
        for _, _, url, other in pages
        if other and reverse(url) == path
    )
    return request.path.startswith(path) and not any(one.items() <= asked.items() for one in narrowed)
