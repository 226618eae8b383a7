"""What the pay-ins' routes take, and what they show."""

from typing import Any

from rest_framework import serializers

from ledger import assets
from ledger.controls.rest import pages, shapes
from ledger.controls.rest.answers import instant
from orders.models import PayIn

_FEE_ITEM = ("name", "version", "amount", "vat", "asset")


def _amount(help_text: str = "a decimal string with exactly the asset's scale") -> serializers.RegexField:
    return serializers.RegexField(r"^[0-9]+([.][0-9]+)?$", help_text=help_text)


class PayInList(pages.PageQuery):
    kind = shapes.Word(choices=PayIn.Kind.choices, required=False)
    wallet_id = shapes.Text(max_length=40, required=False)
    provider_transaction = shapes.Text(max_length=255, required=False)


class PayInFee(serializers.Serializer[Any]):
    name = serializers.CharField()
    version = serializers.IntegerField()
    amount = _amount()
    vat = _amount()
    asset = serializers.CharField()


class PayInAnswer(serializers.Serializer[Any]):
    payin_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=PayIn.Kind.choices)
    wallet_id = serializers.CharField()
    collection_id = serializers.CharField(allow_null=True, help_text="what a refund or chargeback gives back")
    provider_transaction = serializers.CharField(help_text="the provider's own reference")
    asset = serializers.CharField()
    gross = _amount("what the provider moved")
    fees = PayInFee(many=True)
    fee = _amount()
    vat = _amount()
    net = _amount("what the wallet was credited, or debited for a refund or chargeback")
    occurred_at = serializers.DateTimeField(help_text="as the provider says, if credible; else when it told us")
    booked_at = serializers.DateTimeField()


class PayInPage(serializers.Serializer[Any]):
    data = PayInAnswer(many=True)  # type: ignore[assignment]  # DRF names its own property so
    next = serializers.CharField(allow_null=True)


def shown(row: PayIn) -> dict[str, Any]:
    """Show a pay-in: no provider's name, no raw payload."""
    return {
        "payin_id": row.reference,
        "kind": row.kind,
        "wallet_id": row.wallet,
        "collection_id": row.collection or None,
        "provider_transaction": row.provider_transaction,
        "asset": row.asset,
        "gross": assets.text(int(row.gross_minor), row.asset),
        "fees": [{name: item[name] for name in _FEE_ITEM} for item in row.fee_items],
        "fee": assets.text(int(row.fee_minor), row.asset),
        "vat": assets.text(int(row.vat_minor), row.asset),
        "net": assets.text(row.net_minor, row.asset),
        "occurred_at": instant(row.occurred_at),
        "booked_at": instant(row.created_at),
    }
