"""REST of a wallet's history: what each payment or posting of the house did to it, and the balances after it."""

import base64
import binascii
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from ledger import assets
from ledger.controls.rest import pages, shapes
from ledger.controls.rest.answers import answer, instant
from ledger.controls.rest.scopes import Scope
from ledger.controls.rest.shapes import read_query
from ledger.controls.rest.views import ApiView
from orders.models import WalletEntry
from wallets import holders


class HistoryQuery(pages.PageQuery):
    asset = shapes.Text(max_length=20, required=False)


class HistoryEntry(serializers.Serializer[Any]):
    kind = serializers.CharField(
        help_text="transfer_out, transfer_in, payout_hold, payout, payin_collected, adjustment, …"
    )
    subject = serializers.CharField(
        help_text="the intent, or what else it belongs to; the ledger_id of a house's posting"
    )
    asset = serializers.CharField()
    amount = serializers.CharField(help_text="signed: what came in is positive; what it lacked of it is its receivable")
    posted = serializers.CharField(help_text="the balance after it")
    held = serializers.CharField(help_text="what is held after it")
    available = serializers.CharField(help_text="what may be paid after it")
    ledger_id = serializers.CharField(allow_null=True)
    at = serializers.DateTimeField()


class WalletHistory(serializers.Serializer[Any]):
    wallet_id = serializers.CharField()
    data = HistoryEntry(many=True)  # type: ignore[assignment]  # DRF names its own property so
    next = serializers.CharField(allow_null=True)


class WalletHistoryView(ApiView):
    scopes = {"GET": Scope.READ}
    refusals = {"GET": (pages.MalformedCursor,)}

    @extend_schema(
        operation_id="get_wallet_history", parameters=[HistoryQuery], responses=WalletHistory, tags=["wallets"]
    )
    def get(self, request: Request, wallet_id: str) -> HttpResponse:
        """What happened to a wallet, newest first, with the balances after each."""
        query = read_query(request, HistoryQuery)
        wallet = holders.find_wallet(
            reference=wallet_id, operator_id=self.caller.operator_id, environment=self.caller.environment
        )
        mine = WalletEntry.objects.filter(wallet=wallet.reference, environment=wallet.environment)
        shown = mine.filter(asset=query["asset"]) if "asset" in query else mine
        if query["after"]:
            subject, kind = _place(query["after"])
            edge = mine.filter(subject=subject, kind=kind).values_list("pk", flat=True).first()
            if edge is None:
                raise pages.MalformedCursor(errors={"after": ["This is not a cursor of this list."]})
            shown = shown.filter(pk__lt=edge)
        found = list(shown.order_by("-pk")[: query["limit"] + 1])
        more = len(found) > query["limit"]
        found = found[: query["limit"]]
        cursor = _cursor(found[-1]) if more else None
        return answer({"wallet_id": wallet.reference, "data": [_entry(row) for row in found], "next": cursor})


def _entry(row: WalletEntry) -> dict[str, Any]:
    posted, held = int(row.posted_minor), int(row.held_minor)
    return {
        "kind": row.kind,
        "subject": row.subject,
        "asset": row.asset,
        "amount": assets.text(int(row.amount_minor), row.asset),
        "posted": assets.text(posted, row.asset),
        "held": assets.text(held, row.asset),
        "available": assets.text(posted - held, row.asset),
        "ledger_id": row.ledger_reference or None,
        "at": instant(row.recorded_at),
    }


def _cursor(row: WalletEntry) -> str:
    return base64.urlsafe_b64encode(f"{row.subject} {row.kind}".encode()).decode().rstrip("=")


def _place(cursor: str) -> tuple[str, str]:
    """Return the subject and kind that mark an entry's place. Raises MalformedCursor."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    subject, found, kind = text.partition(" ")
    if not found or not text.isprintable():
        raise pages.MalformedCursor(errors={"after": ["This is not a cursor of this list."]})
    return subject, kind
